-- Run by the requests for /lua/hello.
local greeting = require "app.greeting"

ngx.say(greeting.to(ngx.var.arg_name or "world"), ", from worker ", ngx.var.pid)
