# ngx.process, ngx.worker.
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);
log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: the kinds of process
--- http_config
    init_by_lua_block {
        local process = require "ngx.process"
        in_init = process.type() .. " " .. tostring(process.get_master_pid() == ngx.worker.pid())
        master = ngx.worker.pid()
    }
    init_worker_by_lua_block {
        local process = require "ngx.process"
        in_init_worker = process.type() .. " " .. tostring(process.get_master_pid() == ngx.worker.pid())
    }
--- config
    location = /t {
        content_by_lua_block {
            local process = require "ngx.process"
            ngx.say(in_init)
            ngx.say(in_init_worker)
            local file = io.open(ngx.config.prefix() .. "logs/nginx.pid")
            ngx.say(process.type(), " ", process.get_master_pid() == tonumber(file:read "*l"))
            file:close()
        }
    }
--- request
GET /t
--- response_body
master true
worker false
worker true



=== TEST 2: the ids of the workers
--- http_config
    init_by_lua_block { in_init = table.concat({ tostring((ngx.worker.pids())), select(2, ngx.worker.pids()) }, " ") }
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(in_init)
            -- The other worker may not have been told of yet.
            local found, siblings = false, true
            for _, pid in ipairs(ngx.worker.pids()) do
                found = found or pid == ngx.worker.pid()
                local parent = io.open("/proc/" .. pid .. "/stat"):read("*l"):match "%) %S (%d+)"
                siblings = siblings and tonumber(parent) == require("ngx.process").get_master_pid()
            end
            ngx.say(found, " ", siblings, " ", #ngx.worker.pids() <= 2)
        }
    }
--- request
GET /t
--- response_body
nil API disabled in the current context
true true true



=== TEST 3: the number of workers is known in init
--- http_config
    init_by_lua_block { in_init = ngx.worker.count() }
--- config
    location = /t {
        content_by_lua_block { ngx.say(in_init, " ", ngx.worker.count(), " ", ngx.worker.id() < 2) }
    }
--- request
GET /t
--- response_body
2 2 true



=== TEST 4: there is no privileged agent
--- http_config
    init_by_lua_block {
        local process = require "ngx.process"
        answers = {}
        for _, connections in ipairs { 10, 0, -1, "10" } do
            answers[#answers + 1] = select(2, process.enable_privileged_agent(connections))
        end
    }
--- config
    location = /t {
        content_by_lua_block {
            for _, answer in ipairs(answers) do ngx.say(answer) end
            ngx.say(require("ngx.process").enable_privileged_agent())
        }
    }
--- request
GET /t
--- response_body
missing privileged agent process patch in the nginx core
missing privileged agent process patch in the nginx core
bad 'connections' argument: number expected and greater than 0
bad 'connections' argument: number expected and greater than 0
nilAPI disabled in the current context



=== TEST 5: a worker that was told to end answers first
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(ngx.worker.exiting())
            require("ngx.process").signal_graceful_exit()
            ngx.say(ngx.worker.exiting())
        }
    }
--- request
GET /t
--- response_body
false
true
