-- What each of wrk's scripts has in common: the result as one line of JSON, and the counting of
-- statuses. Options come in the environment: wrk passes no arguments to a required file.

local threads = {}

function setup(thread)
  thread:set("index", #threads)
  table.insert(threads, thread)
end

-- Counted here because wrk reports only "not 2xx".
ok, refused, failed = 0, 0, 0
local waiting = 0

function count(status, headers)
  if status < 300 then
    ok = ok + 1
  elseif status == 503 or status == 429 then
    refused = refused + 1
    waiting = tonumber(headers["Retry-After"]) or tonumber(headers["retry-after"]) or 1
  else
    failed = failed + 1
  end
end

-- A client that is told Retry-After waits. wrk asks for the delay of a connection right after its
-- response.
function delay()
  local seconds = waiting
  waiting = 0
  return seconds * 1000
end

function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    table.insert(lines, line)
  end
  return lines
end

function done(summary, latency, requests)
  local total = { ok = 0, refused = 0, failed = 0 }
  for _, thread in ipairs(threads) do
    total.ok = total.ok + thread:get("ok")
    total.refused = total.refused + thread:get("refused")
    total.failed = total.failed + thread:get("failed")
  end
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds": %.6f, "ok": %d, "refused": %d, "failed": %d, "p50_ms": %.3f, '
      .. '"p99_ms": %.3f, "max_ms": %.3f, "broken": %d}\n',
    summary.duration / 1e6, total.ok, total.refused, total.failed, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000,
    errors.connect + errors.read + errors.write + errors.timeout))
end
