-- expect: cpu
-- Waits for a clock that stands still while a worker is busy.
local start = ngx.now()
while ngx.now() < start + 3600 do end
