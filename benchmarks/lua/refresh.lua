-- POST a refresh token and go on with the one that comes back. TOKENS has more of them than there
-- are connections, so that none is ever used twice.
dofile(os.getenv("BENCHMARK_LUA") .. "/common.lua")

local tokens = lines_of(os.getenv("TOKENS"))
local name = os.getenv("REFRESH_NAME") or "refreshToken"
local first, last = 1, #tokens

function request()
  local token = tokens[first]
  tokens[first] = nil
  first = first + 1
  return wrk.format("POST", nil, { ["Content-Type"] = "application/json" },
    string.format('{"%s":"%s"}', name, token))
end

function response(status, headers, body)
  count(status, headers)
  local token = string.match(body, '"' .. name .. '":"([^"]+)"')
  if token then
    last = last + 1
    tokens[last] = token
  end
end
