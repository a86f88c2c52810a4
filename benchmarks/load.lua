-- For wrk: posts the files of a folder in turn, and reports percentiles and statuses as JSON.
local bodies, next_one, threads = {}, 0, {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  statuses = ""
  counts = {}
  for line in io.lines(args[1]) do
    local file = io.open(line, "rb")
    table.insert(bodies, file:read("*a"))
    file:close()
  end
  wrk.headers["Content-Type"] = args[2]
end

function request()
  next_one = next_one % #bodies + 1
  return wrk.format("POST", nil, nil, bodies[next_one])
end

function response(status)
  counts[status] = (counts[status] or 0) + 1
  local parts = {}
  for code, count in pairs(counts) do
    table.insert(parts, string.format('"%d": %d', code, count))
  end
  statuses = table.concat(parts, ", ")
end

function done(summary, latency)
  local all = {}
  for _, thread in ipairs(threads) do
    if thread:get("statuses") ~= "" then
      table.insert(all, thread:get("statuses"))
    end
  end
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.3f, "p50": %.1f, "p95": %.1f, "p99": %.1f, ' ..
    '"broken": %d, "statuses": {%s}}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    table.concat(all, ", ")))
end
