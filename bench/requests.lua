-- Sends the requests of a file in turn: METHOD PATH BODY, a line each. A body such as @name is that file, as a form with
-- the boundary "bench". Arguments: the file, and a token or nothing.
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
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
    local sent, kind = content(body)
    local headers = { ["Content-Type"] = kind }
    if arguments[2] and arguments[2] ~= "" then headers["Authorization"] = "Bearer " .. arguments[2] end
    requests[#requests + 1] = wrk.format(method, path, headers, sent)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
