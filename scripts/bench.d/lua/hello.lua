-- The smallest handler: rows file-static and file-$1.
ngx.say("hello")
