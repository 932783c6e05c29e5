-- The smallest script: row sandbox-hello.
ngx.say("hello")
