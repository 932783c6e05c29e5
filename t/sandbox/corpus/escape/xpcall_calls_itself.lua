-- expect: ok
-- says: true
-- As pcall, which stands behind it.
local function handler() return "handled" end
local function chain(n, ...) if n == 0 then return ... end return chain(n - 1, xpcall, handler, ...) end
local t = setmetatable({}, { __call = xpcall })
ngx.say((pcall(t, handler)) ~= nil and (pcall(chain(200, pcall))) ~= nil)
