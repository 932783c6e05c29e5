# ngx.pipe: processes that Lua starts, writes to, reads from and waits for.
use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a process and its ends
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            for _, script in ipairs { "exit 0", "exit 3", "kill -9 $$", "kill -15 $$" } do
                local proc = pipe.spawn(script)
                ngx.say(script, ": ", table.concat({ tostring(proc:pid() > 1), tostring(proc:wait()) }, " "))
            end
            local proc = pipe.spawn({ "sh", "-c", "exit 7" })
            local ok, reason, status = proc:wait()
            ngx.say(ok, " ", reason, " ", status)
            proc = pipe.spawn("kill -9 $$")
            ok, reason, status = proc:wait()
            ngx.say(ok, " ", reason, " ", status)
            ngx.say(proc:wait())
            ngx.say(proc:kill(9))
            ngx.say(proc:shutdown("stdin"))
            ngx.say(proc:write("x"))
            ngx.say(proc:stdout_read_all())
            ngx.say(proc:stderr_read_line())
        }
    }
--- request
GET /t
--- response_body
exit 0: true true
exit 3: true false
kill -9 $$: true false
kill -15 $$: true false
false exit 7
false signal 9
nilexitednil
nilexited
nilclosed
nilclosed
nilclosednil
nilclosednil
--- no_error_log
[error]



=== TEST 2: the ways to read
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local function say(...)
                local text = {}
                for i = 1, select("#", ...) do text[i] = tostring((select(i, ...))) end
                ngx.say("[", table.concat(text, "] ["), "]")
            end
            local proc = pipe.spawn({ "printf", "a\\nb\\r\\nc\\rd\\n\\nlast" })
            for _ = 1, 6 do say(proc:stdout_read_line()) end
            say(proc:stdout_read_all())
            proc = pipe.spawn({ "printf", "0123456789" })
            say(proc:stdout_read_bytes(3))
            say(proc:stdout_read_bytes(0))
            say(proc:stdout_read_any(2))
            say(proc:stdout_read_bytes(10))
            say(proc:stdout_read_bytes(1))
            say(proc:stdout_read_any(1))
            proc = pipe.spawn("printf err >&2; printf out")
            say(proc:stderr_read_all())
            say(proc:stdout_read_any(100))
            say(proc:wait())
        }
    }
--- request
GET /t
--- response_body
[a] [nil] [nil]
[b] [nil] [nil]
[cd] [nil] [nil]
[] [nil] [nil]
[nil] [closed] [last]
[nil] [closed] []
[] [nil] [nil]
[012] [nil] [nil]
[]
[34] [nil] [nil]
[nil] [closed] [56789]
[nil] [closed] []
[nil] [closed] []
[err] [nil] [nil]
[out] [nil] [nil]
[true] [exit] [0]
--- no_error_log
[error]



=== TEST 3: what was put out can be read after the end, until that was waited for
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn({ "echo", "hi" })
            -- The end is known once it can no longer be killed.
            while proc:kill(0) do ngx.sleep(0.001) end
            ngx.say(proc:kill(9))
            ngx.say(proc:shutdown("stdin"))
            ngx.say(proc:stdout_read_line())
            ngx.say(proc:wait())
            ngx.say(proc:stdout_read_line())
        }
    }
--- request
GET /t
--- response_body
nilexited
true
hinilnil
trueexit0
nilclosednil



=== TEST 4: what is written is read
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn({ "cat" })
            ngx.say(proc:write("text\n"))
            ngx.say(proc:write({ "a", 1, "b", 2.5 }))
            ngx.say(proc:write(12.5))
            ngx.say(proc:write(""))
            ngx.say(proc:write({}))
            ngx.say(proc:stdout_read_line())
            ngx.say(proc:shutdown("stdin"))
            ngx.say(proc:shutdown("stdin"))
            ngx.say(proc:write("x"))
            ngx.say(proc:stdout_read_all())
            ngx.say(proc:wait())
            -- More than a pipe holds, both ways at once.
            local data = ("0123456789"):rep(100000)
            proc = pipe.spawn({ "cat" }, { buffer_size = 1000 })
            local writer = ngx.thread.spawn(function()
                local bytes = proc:write(data)
                proc:shutdown("stdin")
                return bytes
            end)
            ngx.say(proc:stdout_read_all() == data, " ", select(2, ngx.thread.wait(writer)))
            ngx.say(proc:wait())
            -- Nobody reads it any more.
            proc = pipe.spawn({ "sleep", "60" })
            proc:kill(9)
            while proc:kill(0) do ngx.sleep(0.001) end
            ngx.say(proc:write("x"))
        }
    }
--- request
GET /t
--- response_body
5nil
6nil
4nil
0nil
0nil
textnilnil
true
true
nilclosed
a1b2.512.5nilnil
trueexit0
true 1000000
trueexit0
nilclosed
--- no_error_log
[error]



=== TEST 5: buffer_size bounds what is read at once
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn({ "printf", "0123456789" }, { buffer_size = 4 })
            while proc:kill(0) do ngx.sleep(0.001) end
            for _ = 1, 4 do ngx.say(proc:stdout_read_any(100)) end
            proc = pipe.spawn({ "printf", "line one\\nline two" }, { buffer_size = "3" })
            ngx.say(proc:stdout_read_line())
            ngx.say(proc:stdout_read_all())
            -- No memory is taken for it in advance.
            ngx.say(pipe.spawn({ "echo", "huge" }, { buffer_size = 1e15 }):stdout_read_all())
        }
    }
--- request
GET /t
--- response_body
0123nilnil
4567nilnil
89nilnil
nilclosed
line onenilnil
line twonilnil
huge
nilnil



=== TEST 6: merge_stderr
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn("echo out; echo err >&2", { merge_stderr = true })
            ngx.print(proc:stdout_read_all())
            ngx.say()
            for _, method in ipairs { "all", "line", "bytes", "any" } do
                ngx.say(proc["stderr_read_" .. method](proc, 1))
            end
            ngx.say(proc:shutdown("stderr"))
            ngx.say(proc:wait())
            ngx.say(proc:stderr_read_all())
            ngx.say(proc:shutdown("stderr"))
        }
    }
--- request
GET /t
--- response_body
out
err
nilnil
nilmerged to stdoutnil
nilmerged to stdoutnil
nilmerged to stdoutnil
nilmerged to stdoutnil
nilmerged to stdout
trueexit0
nilclosednil
nilclosed



=== TEST 7: the environment
--- main_config
    env FROM_OUTSIDE=given;
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local function env(environ)
                local proc = pipe.spawn({ "env" }, { environ = environ })
                local list = {}
                for line in proc:stdout_read_all():gmatch "[^\n]+" do list[#list + 1] = line end
                return table.concat(list, " ")
            end
            ngx.say(env(nil):match "FROM_OUTSIDE=given")
            ngx.say(env { "A=1", "B=", "C=x=y" })
            ngx.say("[", env {}, "]")
            -- The program is looked for along the worker's own PATH.
            ngx.say(env { "PATH=/nowhere" })
        }
    }
--- request
GET /t
--- response_body
FROM_OUTSIDE=given
A=1 B= C=x=y
[]
PATH=/nowhere



=== TEST 8: the arguments
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local function out(args) return (pipe.spawn(args):stdout_read_all()) end
            ngx.say(out { "printf", "[%s]", "a b", "$HOME;'\"", 1, 2.5, true, "" })
            ngx.say(out { "printf", "[%s]", "a", nil, "c" })
            ngx.say(out { "printf", "[%s]", "a\0b", "c" })
            ngx.say(out "echo $((1 + 2))")
            ngx.say(#out { "printf", "%s", ("x"):rep(100000) })
            local many = { "sh", "-c", "echo $#", "sh" }
            for i = 1, 20000 do many[#many + 1] = "x" end
            ngx.print(out(many))
        }
    }
--- request
GET /t
--- response_body
[a b][$HOME;'"][1][2.5][true][]
[a]
[a][c]
3

100000
20000



=== TEST 9: a program that cannot be run has ended with status 1
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn({ "/no/such/program" })
            ngx.say(proc:stdout_read_all())
            ngx.say(proc:stderr_read_all())
            ngx.say(proc:wait())
            ngx.say(pipe.spawn({ "/tmp" }):wait())
            ngx.say(pipe.spawn({ "" }):wait())
            ngx.say(pipe.spawn("exec /no/such/program 2>/dev/null"):wait())
        }
    }
--- request
GET /t
--- response_body
nilnil
nilnil
falseexit1
falseexit1
falseexit1
falseexit127
--- error_log
lua pipe child execvp() failed while executing /no/such/program (2: No such file or directory)
lua pipe child execvp() failed while executing /tmp (13: Permission denied)



=== TEST 10: a script without an interpreter's line is the shell's
--- user_files
>>> script
echo "$# $1"
--- config
    location = /t {
        content_by_lua_block {
            local path = ngx.config.prefix() .. "html/script"
            os.execute("chmod +x " .. path)
            ngx.print(require("ngx.pipe").spawn({ path, "a b" }):stdout_read_all())
            ngx.say()
        }
    }
--- request
GET /t
--- response_body
1 a b
nilnil



=== TEST 11: bad arguments
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local function try(...)
                local ok, err = pcall(...)
                ngx.say(ok and "ok" or err)
            end
            for _, args in ipairs { 1, true, print, {}, { nil, "x" }, { a = "x" } } do try(pipe.spawn, args) end
            try(pipe.spawn)
            for _, opts in ipairs {
                1, "x",
                { buffer_size = 0 }, { buffer_size = "x" }, { buffer_size = 0 / 0 },
                { environ = "A=1" }, { environ = { 1 } }, { environ = { "A=1", {} } }, { environ = { "A" } },
                { environ = { "=x" } }, { environ = { "" } },
                { write_timeout = -1 }, { stdout_read_timeout = "x" }, { stderr_read_timeout = 2 ^ 32 },
                { wait_timeout = {} },
            } do
                try(pipe.spawn, { "true" }, opts)
            end
            local proc = pipe.spawn({ "cat" })
            for _, signal in ipairs { "9", true } do try(proc.kill, proc, signal) end
            for _, signal in ipairs { -1, 65, 1000, 2 ^ 31, 2 ^ 53, 0 / 0 } do ngx.say(proc:kill(signal)) end
            for _, direction in ipairs { "x", "", 1, true } do try(proc.shutdown, proc, direction) end
            for _, data in ipairs { true, print, { "a", {} }, { true } } do try(proc.write, proc, data) end
            try(proc.write, proc)
            for _, size in ipairs { -1, "1", true, 0 / 0 } do try(proc.stdout_read_bytes, proc, size) end
            try(proc.stderr_read_bytes, proc)
            for _, most in ipairs { -1, 0, "x", true, 0 / 0 } do try(proc.stdout_read_any, proc, most) end
            for i = 1, 4 do
                local limits = {}
                limits[i] = -1
                try(proc.set_timeouts, proc, unpack(limits, 1, 4))
            end
            for _, method in ipairs { "wait", "pid", "kill", "write", "stdout_read_line", "set_timeouts" } do
                try(proc[method], {})
                try(proc[method])
            end
            -- It is as it was.
            ngx.say(proc:write("still there\n"), proc:stdout_read_line())
        }
    }
--- request
GET /t
--- response_body
bad args arg: table expected, got number
bad args arg: table expected, got boolean
bad args arg: table expected, got function
bad args arg: non-empty table expected
bad args arg: non-empty table expected
bad args arg: non-empty table expected
bad args arg: table expected, got nil
bad opts arg: table expected, got number
bad opts arg: table expected, got string
bad buffer_size option
bad buffer_size option
bad buffer_size option
bad environ option: table expected, got string
bad value at index 1 of environ option: string expected, got number
bad value at index 2 of environ option: string expected, got table
bad value at index 1 of environ option: 'name=[value]' format expected, got 'A'
bad value at index 1 of environ option: 'name=[value]' format expected, got '=x'
bad value at index 1 of environ option: 'name=[value]' format expected, got ''
bad write_timeout option
bad stdout_read_timeout option
bad stderr_read_timeout option
bad wait_timeout option
bad signal arg: number expected, got 9
bad signal arg: number expected, got true
nilinvalid signal
nilinvalid signal
nilinvalid signal
nilinvalid signal
nilinvalid signal
nilinvalid signal
bad shutdown arg: x
bad shutdown arg: 
bad shutdown arg: 1
bad shutdown arg: true
bad data arg: string, number, or table expected, got boolean
bad data arg: string, number, or table expected, got function
invalid value (table) at index 2 in table for 'concat'
invalid value (boolean) at index 1 in table for 'concat'
bad data arg: string, number, or table expected, got nil
bad len argument
bad len argument
bad len argument
bad len argument
bad len argument
bad max argument
bad max argument
bad max argument
bad max argument
bad max argument
bad write_timeout option
bad stdout_read_timeout option
bad stderr_read_timeout option
bad wait_timeout option
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
not a process instance
12still therenilnil



=== TEST 12: timeouts
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local proc = pipe.spawn("printf abc; exec sleep 60", {
                write_timeout = 10, stdout_read_timeout = 10, stderr_read_timeout = 10, wait_timeout = 10,
            })
            -- What was read before the time was over is not lost; it comes in one piece or in two.
            local _, err, partial = proc:stdout_read_bytes(10)
            local _, again, more = proc:stdout_read_all()
            ngx.say(err, " ", again, " ", partial .. more == "abc" or partial)
            ngx.say(proc:stderr_read_line())
            ngx.say(proc:write(("x"):rep(1000000)))
            ngx.say(proc:wait())
            -- It is still there, and 0 is without a limit.
            proc:set_timeouts(nil, nil, nil, 0)
            ngx.say(proc:kill(15))
            ngx.say(proc:wait())
            proc = pipe.spawn({ "cat" }, { stdout_read_timeout = 0 })
            local reader = ngx.thread.spawn(proc.stdout_read_line, proc)
            proc:write("x\n")
            ngx.say(select(2, ngx.thread.wait(reader)))
        }
    }
--- request
GET /t
--- response_body
timeout timeout true
niltimeout
niltimeout
niltimeoutnil
true
falsesignal15
xnilnil



=== TEST 13: one light thread at a time
--- config
    location = /t {
        content_by_lua_block {
            local proc = require("ngx.pipe").spawn({ "sleep", "60" })
            local threads = {}
            for i, call in ipairs {
                function() return proc:wait() end,
                function() return proc:stdout_read_all() end,
                function() return proc:stderr_read_line() end,
                function() return proc:write(("x"):rep(1000000)) end,
            } do
                threads[i] = ngx.thread.spawn(call)
            end
            ngx.say(proc:wait())
            ngx.say(proc:stdout_read_line())
            ngx.say(proc:stderr_read_any(1))
            ngx.say(proc:write("x"))
            ngx.say(proc:shutdown("stdout"), proc:shutdown("stderr"), proc:shutdown("stdin"))
            -- Where something was not written or read yet the other side may still be busy.
            for i = 2, 4 do ngx.say(select(2, ngx.thread.wait(threads[i]))) end
            proc:kill(9)
            ngx.say(select(2, ngx.thread.wait(threads[1])))
        }
    }
--- request
GET /t
--- response_body
nilpipe busy waitingnil
nilpipe busy readingnil
nilpipe busy readingnil
nilpipe busy writing
truetruetrue
nilaborted
nilaborted
nilaborted
falsesignal9



=== TEST 14: a light thread that was killed leaves its turn to others
--- config
    location = /t {
        content_by_lua_block {
            local proc = require("ngx.pipe").spawn({ "cat" })
            for _, call in ipairs {
                function() proc:wait() end,
                function() proc:stdout_read_line() end,
            } do
                ngx.thread.kill(ngx.thread.spawn(call))
            end
            collectgarbage()
            proc:write("line\n")
            ngx.say(proc:stdout_read_line())
            proc:shutdown("stdin")
            ngx.say(proc:wait())
        }
    }
--- request
GET /t
--- response_body
linenilnil
trueexit0



=== TEST 15: who reads when the end was waited for is told that the stream is closed
--- config
    location = /t {
        content_by_lua_block {
            -- The other process keeps the stream open.
            local proc = require("ngx.pipe").spawn("sleep 60 & printf $!; exit 0")
            local other = proc:stdout_read_any(10)
            local reader = ngx.thread.spawn(proc.stdout_read_all, proc)
            ngx.say(proc:wait())
            local _, data, err, partial = ngx.thread.wait(reader)
            ngx.say(data, " ", err, " ", #partial)
            os.execute("kill " .. other)
        }
    }
--- request
GET /t
--- response_body
trueexit0
nil closed 0



=== TEST 16: many at once
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local threads = {}
            for i = 1, 20 do
                threads[i] = ngx.thread.spawn(function()
                    local proc = pipe.spawn({ "sh", "-c", "read x; echo $x; exit " .. i })
                    proc:write(i .. "\n")
                    return proc:stdout_read_line(), select(3, proc:wait())
                end)
            end
            for i = 1, 20 do
                local _, line, status = ngx.thread.wait(threads[i])
                if tonumber(line) ~= i or status ~= i then ngx.say(i, ": ", line, " ", status) end
            end
            ngx.say("done")
        }
    }
--- request
GET /t
--- response_body
done



=== TEST 17: coroutines that wait
--- config
    location = /t {
        content_by_lua_block {
            local line = coroutine.wrap(function()
                local proc = require("ngx.pipe").spawn({ "cat" })
                proc:write("in a coroutine\n")
                return (proc:stdout_read_line())
            end)
            ngx.say(line())
        }
    }
--- request
GET /t
--- response_body
in a coroutine



=== TEST 18: what a process gets of the worker
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local function out(...) return (pipe.spawn(...):stdout_read_all()) end
            local other = pipe.spawn({ "cat" })
            other:write("x")
            -- `ls` itself opens the directory.
            ngx.say((out({ "ls", "/proc/self/fd" }):gsub("\n", " ")))
            local status = out { "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status" }
            ngx.say((status:gsub("%s+", " ")))
            local own = io.open("/proc/self/stat"):read "*l"
            local stat = out { "cat", "/proc/self/stat" }
            local function ids(text) return text:match "^(%d+) %S+ %S (%d+) (%d+) (%d+)" end
            local pid, _, group, session = ids(own)
            local _, parent, childs_group, childs_session = ids(stat)
            ngx.say(parent == pid, " ", childs_group == group, " ", childs_session == session)
        }
    }
--- request
GET /t
--- response_body
0 1 2 3 
SigBlk: 0000000000000000 SigIgn: 0000000000000000 
true true true



=== TEST 19: phases
--- http_config
    init_by_lua_block {
        local ok, err = pcall(require("ngx.pipe").spawn, { "true" })
        in_init = tostring(ok) .. " " .. err
    }
    init_worker_by_lua_block {
        local proc = require("ngx.pipe").spawn({ "cat" })
        in_init_worker = { tostring(proc:kill(0)), select(2, pcall(proc.wait, proc)) }
        kept = proc
    }
--- config
    location = /t {
        set_by_lua_block $in_set {
            local proc = require("ngx.pipe").spawn({ "cat" })
            return select(2, pcall(proc.stdout_read_line, proc))
        }
        access_by_lua_block {
            local proc = require("ngx.pipe").spawn({ "echo", "access" })
            ngx.ctx.access = proc:stdout_read_line()
        }
        content_by_lua_block {
            ngx.say(in_init)
            ngx.say(table.concat(in_init_worker, " "))
            -- It has ended with what it was started in.
            ngx.say(kept:kill(0))
            ngx.say((ngx.var.in_set:gsub("^.-:%d+: ", "")))
            ngx.say(ngx.ctx.access)
        }
        header_filter_by_lua_block {
            local proc = require("ngx.pipe").spawn({ "cat" })
            local texts = {}
            for i, call in ipairs {
                { proc.write, "x" }, { proc.write }, { proc.wait }, { proc.stderr_read_all }, { proc.stdout_read_any, 1 },
                { proc.stdout_read_bytes, 0 }, { proc.shutdown, "stdin" }, { proc.kill, 9 },
            } do
                texts[i] = tostring((select(2, pcall(call[1], proc, call[2])))):gsub("^.-:%d+: ", "")
            end
            ngx.log(ngx.WARN, table.concat(texts, ", "))
        }
    }
--- request
GET /t
--- response_body
false API disabled in the current context
true API disabled in the context of init_worker_by_lua*
nilexited
API disabled in the context of set_by_lua*
access
--- error_log eval
"API disabled in the context of header_filter_by_lua*, " x 5 . ", true, true"



=== TEST 20: other ways to run programs
--- config
    location = /t {
        content_by_lua_block {
            local proc = require("ngx.pipe").spawn({ "cat" })
            ngx.say(os.execute("exit 3"), " ", os.execute("true"))
            local file = io.popen("echo popen")
            ngx.say(file:read "*l", " ", file:close())
            proc:shutdown("stdin")
            ngx.say(proc:wait())
        }
    }
--- request
GET /t
--- response_body
768 0
popen true
trueexit0



=== TEST 21: without descriptors there is no process, and those that there were are given back
--- config
    location = /t {
        content_by_lua_block {
            local pipe, ffi = require "ngx.pipe", require "ffi"
            ffi.cdef [[
            struct limit { unsigned long soft, hard; };
            int getrlimit(int what, struct limit *limit);
            int setrlimit(int what, const struct limit *limit);
            ]]
            local DESCRIPTORS = 7
            local limit = ffi.new "struct limit"
            ffi.C.getrlimit(DESCRIPTORS, limit)
            local before = limit.soft
            local function try()
                local procs, err = {}, nil
                for i = 1, 100 do
                    procs[i], err = pipe.spawn({ "cat" })
                    if err then break end
                end
                for _, proc in ipairs(procs) do proc:shutdown("stdin") proc:wait() end
                return #procs, err
            end
            limit.soft = 60
            ffi.C.setrlimit(DESCRIPTORS, limit)
            local count, err = try()
            ngx.say(count > 1 and count < 20, " ", err)
            ngx.say(count == try())
            limit.soft = before
            ffi.C.setrlimit(DESCRIPTORS, limit)
        }
    }
--- request
GET /t
--- response_body
true pipe failed: Too many open files
true



=== TEST 22: without connections nobody can wait for a stream
--- config
    location = /t {
        content_by_lua_block {
            local pipe = require "ngx.pipe"
            local procs, err = {}, nil
            for i = 1, 500 do
                procs[i] = assert(pipe.spawn({ "cat" }))
                local _, why = procs[i]:write("x\n")
                err = why
                if err then break end
            end
            ngx.say(err)
            -- It can be waited for when there is one again.
            procs[1]:kill(9)
            procs[1]:wait()
            ngx.say(procs[#procs]:write("y\n"))
        }
    }
--- request
GET /t
--- response_body
no connection
2nil
--- error_log
worker_connections are not enough
