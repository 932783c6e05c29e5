-- expect: error
-- message: on purpose
coroutine.wrap(function()
    coroutine.wrap(function() error("on purpose") end)()
end)()
