-- GET with the bearer tokens of TOKENS, one after the other; without TOKENS, plain.
dofile(os.getenv("BENCHMARK_LUA") .. "/common.lua")

local requests = {}
local next_request = 0

function init(args)
  delay = nil -- reads are never refused here, and asking costs wrk a timer for each
  local path = os.getenv("TOKENS")
  if not path then
    requests = { wrk.format("GET") }
  else
    for _, token in ipairs(lines_of(path)) do
      table.insert(requests, wrk.format("GET", nil, { Authorization = "Bearer " .. token }))
    end
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function response(status, headers)
  count(status, headers)
end
