-- Sends the requests of a file in turn: METHOD PATH BODY, a line each. Arguments: the file, and a token or nothing.
local requests, next_one = {}, 0

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  if arguments[2] and arguments[2] ~= "" then headers["Authorization"] = "Bearer " .. arguments[2] end
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
