-- expect: error
-- ways: api thread
-- args: huge
-- More than the run's memory.
ngx.say("LEAK", #(...))
