-- For wrk: each request comes with the next of the cookies in a file, if it names one.
local cookies, number = {}, 0
local file = os.getenv("BENCH_COOKIES")
if file then
  for line in io.lines(file) do cookies[#cookies + 1] = line end
end

request = function()
  if #cookies == 0 then return wrk.format("GET") end
  number = number % #cookies + 1
  return wrk.format("GET", nil, { Cookie = cookies[number] })
end
