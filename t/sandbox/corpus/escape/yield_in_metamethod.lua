-- expect: error
-- ways: file api thread
-- message: yield
return setmetatable({}, { __index = coroutine.yield }).x
