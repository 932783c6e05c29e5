-- expect: ok
-- says: false
ngx.say((xpcall(error, pcall)))
pcall(xpcall, error, xpcall)
xpcall(error, error)
xpcall(error, coroutine.wrap)
pcall(xpcall, xpcall, xpcall, xpcall, xpcall)
