-- wrk: the paths of a file in turn, with a token; says what it saw in one line. A single path is left to wrk alone, which
-- then spends less on a request than a server does.
local paths, requests, at = {}, {}, 0

for path in io.lines(os.getenv("PATHS")) do
    paths[#paths + 1] = path
end
if os.getenv("TOKEN") ~= "" then
    wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
end
wrk.path = paths[1]

if #paths > 1 then
    function init()
        for number, path in ipairs(paths) do
            requests[number] = wrk.format("GET", path)
        end
    end

    function request()
        at = at % #requests + 1
        return requests[at]
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
