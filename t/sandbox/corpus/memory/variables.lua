-- expect: memory|time|cpu
-- profile: patient
-- Each look takes memory of the request.
local variables = ngx.var
while true do local _ = variables.arg_a end
