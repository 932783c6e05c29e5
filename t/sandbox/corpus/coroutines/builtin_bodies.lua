-- expect: ok
-- says: fine
-- Coroutines whose body is a library function.
for _, library in ipairs { _G, string, table, math, coroutine, bit } do
    for _, f in pairs(library) do
        if type(f) == "function" then
            local co = coroutine.create(f)
            coroutine.resume(co)
            coroutine.resume(co, co)
            coroutine.resume(co, f, co)
        end
    end
end
ngx.say("fine")
