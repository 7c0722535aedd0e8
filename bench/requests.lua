-- Sends the requests of a file in turn: USER METHOD PATH BODY, a line each. USER is the number of a token, the first if it
-- is left out. A body such as @name is that file, as a form with the boundary "bench".
-- Arguments: the file of requests, and a file of tokens, a line each.
local requests, next_one = {}, 0

local function content(body)
  if body == "" then return nil, "application/json" end
  if body:sub(1, 1) ~= "@" then return body, "application/json" end
  local file = assert(io.open(body:sub(2), "rb"))
  local form = file:read("*a")
  file:close()
  return form, "multipart/form-data; boundary=bench"
end

function init(arguments)
  local tokens = {}
  for token in io.lines(arguments[2]) do tokens[#tokens + 1] = token end
  for line in io.lines(arguments[1]) do
    local user, method, path, body = line:match("^(%d*) ?(%S+) (%S+) ?(.*)$")
    local sent, kind = content(body)
    local headers = { ["Content-Type"] = kind }
    local token = tokens[tonumber(user) or 1]
    if token then headers["Authorization"] = "Bearer " .. token end
    requests[#requests + 1] = wrk.format(method, path, headers, sent)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
