# Modules that use ffi: loading them again neither raises nor crashes, and what C cannot change is refused by name.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $RELOADS = $ENV{HOTLUA_FFI_RELOADS} || 200;

# VERSION, FIELDS and METHODS are filled in.
my $POINT = <<'LUA';
local ffi = require "ffi"
ffi.cdef [[
    typedef struct { FIELDS } hot_point; /* a comment; with a semicolon */
    struct hot_pair { hot_point one, two; };
    enum hot_kind { HOT_FIRST, HOT_SECOND };
    int abs(int);
    size_t strlen(const char *);
]]
local point = ffi.metatype("hot_point", {
    __index = { version = "VERSION", METHODS },
    __add = function(a, b) return ffi.new("hot_point", a.x + b.x, a.y + b.y) end,
    __tostring = function(p) return "VERSION(" .. p.x .. "," .. p.y .. ")" end,
})
local state = require("hotlua").state
local old = state("old", function() return point(1, 2) end)
local libm = ffi.load("libm.so.6")
pcall(ffi.cdef, "double floor(double);")
return {
    version = "VERSION",
    text = function()
        local new = point(3, 4)
        local pair = ffi.new("struct hot_pair", { { 5, 6 }, { 7, 8 } })
        local sum = 0
        -- Long enough to be compiled.
        for _ = 1, 100 do sum = sum + new:sum() + pair.two:sum() end
        return table.concat({ old.version, new.version, old:sum(), sum, tostring(old + new), ffi.C.abs(-9),
            tonumber(ffi.C.strlen("four")), libm.floor(2.5), tonumber(ffi.new("enum hot_kind", "HOT_SECOND")) }, " ")
    end,
}
LUA

sub point {
    my ($version, %option) = @_;
    my $fields = $option{fields} // 'int x, y;';
    my $methods = $option{methods} // 'sum = function(p) return p.x + p.y end';
    return $POINT =~ s/VERSION/$version/gr =~ s/FIELDS/$fields/r =~ s/METHODS/$methods/r;
}

# What `text` gives.
sub text { my ($version) = @_; return "$version $version 3 2200 $version(4,6) 9 4 2 1" }

# A callback that C calls, declared again with each load and freed when its module retires.
my $CALLBACK = <<'LUA';
local ffi = require "ffi"
ffi.cdef [[
    typedef int (*hot_compare)(const void *, const void *);
    void qsort(void *, size_t, size_t, hot_compare);
]]
local compare = ffi.cast("hot_compare", function(a, b)
    a, b = ffi.cast("const int *", a)[0], ffi.cast("const int *", b)[0]
    return (a < b and -1 or a > b and 1 or 0) * (DIRECTION)
end)
require("hotlua").on_retire(function() compare:free() end)
return {
    text = function()
        local numbers = ffi.new("int[5]", 3, 1, 5, 2, 4)
        ffi.C.qsort(numbers, 5, 4, compare)
        local list = {}
        for i = 0, 4 do list[#list + 1] = numbers[i] end
        return table.concat(list, " ")
    end,
}
LUA

sub callback { my ($direction) = @_; return $CALLBACK =~ s/DIRECTION/$direction/r }

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
        location ~ ^/(point|callback|constant)$ {
            set $module $1;
            content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require(ngx.var.module).text()) }
        }
        location = /hold {
            content_by_lua_block {
                local point = require "point"
                io.open("%ROOT%/marks/held", "w"):close()
                while not io.open("%ROOT%/marks/go") do ngx.sleep(0.005) end
                ngx.print(point.text())
            }
        }
        location = /collect { content_by_lua_block { collectgarbage() collectgarbage() ngx.say(ngx.var.pid) } }
CONF
    files => { 'lua/point.lua' => point('one'), 'lua/callback.lua' => callback(1) },
);
my @workers = sort $nginx->worker_pids;

sub publishes { my ($what) = @_; my ($status, $reply) = $nginx->publish; is $status, 200, $what or diag explain $reply; return }

sub module {
    my ($name) = @_;
    my ($module) = grep { $_->{name} eq $name } @{ ($nginx->control(GET => 'modules'))[1] };
    return $module // {};
}

subtest 'declarations, types and libraries' => sub {
    is $nginx->answers('/point'), text('one'), 'the first load';
    $nginx->write('lua/point.lua', point('two'));
    publishes('the second is accepted');
    is $nginx->answers('/point'), text('two'), 'its methods are those of objects old and new';
    my $request = $nginx->begin('/hold');
    $nginx->wait_for('the request to be pinned', sub { -e "$nginx->{root}/marks/held" });
    $nginx->write('lua/point.lua', point('three', methods => 'sum = function(p) return p.x + p.y + 1 end'));
    publishes('so is a changed method');
    is $nginx->answers('/point'), 'three three 4 2400 three(4,6) 9 4 2 1', 'which objects have';
    open my $go, '>', "$nginx->{root}/marks/go" or die "go: $!";
    is $nginx->finish($request), text('two'), 'a request from before has those of its own';
    is +($nginx->rollback)[0], 200, 'a rollback';
    is $nginx->answers('/point'), text('two'), 'brings the earlier ones back';
    is module('point')->{ffi}, JSON::PP::true, 'the module is told of as one with ffi';
    is module('point')->{reason}, undef, 'and nothing keeps it';
};

subtest 'a C type that has changed' => sub {
    for my $case (
        ['a struct', point('never') =~ s/one, two;/one, two, three;/r, 'hot_pair'],
        ['an enum', point('never') =~ s/HOT_FIRST, HOT_SECOND/HOT_FIRST, HOT_MORE, HOT_SECOND/r, 'hot_kind|HOT_FIRST'],
        ['a struct by its typedef alone', point('never', fields => 'int x, y, z;'), 'hot_point'],
    ) {
        my ($what, $source, $name) = @$case;
        $nginx->write('lua/point.lua', $source);
        my ($status, $reply) = $nginx->publish;
        is $status, 409, "$what: rejected" or diag explain $reply;
        like $reply->{error} // '', qr/C type '(?:$name)'.*needs nginx reload/, "$what: the type is named, and what helps";
        like $reply->{file} // '', qr{lua/point\.lua$}, "$what: the file";
        is $reply->{line}, 8, "$what: the line";
        is $nginx->answers('/point'), text('two'), "$what: the last good goes on";
        my $module = module('point');
        is $module->{ffi}, JSON::PP::true, "$what: the module is told of";
        like $module->{reason} // '', qr/(?:$name).*needs nginx reload/, "$what: with the reason";
    }
    $nginx->write('lua/point.lua', point('four'));
    publishes('one that is as it was is accepted');
    is $nginx->answers('/point'), text('four'), 'and runs';
    is module('point')->{reason}, undef, 'the reason is gone';
    $nginx->write('lua/point.lua', point('reloaded') =~ s/one, two;/one, two, three;/r);
    is +($nginx->publish)[0], 409, 'the changed one is rejected again';
    $nginx->reload;
    is $nginx->answers('/point'), text('reloaded'), 'and taken by a reload of nginx';
    $nginx->write('lua/point.lua', point('two'));
    $nginx->reload;
    is $nginx->answers('/point'), text('two'), 'as is the one before';
    @workers = sort $nginx->worker_pids;
};

subtest 'a library that is not there' => sub {
    my $good = point('library');
    $nginx->write('lua/point.lua', $good =~ s/libm\.so\.6/libnone.so.6/r);
    my ($status, $reply) = $nginx->publish;
    is $status, 409, 'rejected';
    like $reply->{error}, qr/libnone\.so\.6/, 'with its name';
    $nginx->write('lua/point.lua', $good);
    publishes('the one before is accepted');
    is $nginx->answers('/point'), text('library'), 'and runs';
};

subtest 'declarations that are in nobody\'s way' => sub {
    my $source = <<'LUA';
local ffi = require "ffi"
ffi.cdef [[
    typedef void hot_a(int); typedef void hot_b(int);
    typedef struct { int x; } hot_packed __attribute__((packed));
    typedef struct { char y; } hot_other __attribute__((packed));
    typedef unsigned int hot_number;
    typedef hot_number hot_row[4];
    typedef int (*hot_function)(hot_number, void (*inner)(int));
    typedef int (*hot_function_2)(hot_number, void (*inner)(char));
MORE
]]
return { text = function() return ffi.sizeof("hot_row") + ffi.sizeof("hot_other") SIZE end }
LUA
    my $with = sub { my ($more, $size) = @_; return $source =~ s/MORE/$more/r =~ s/SIZE/$size/r };
    $nginx->write('lua/constant.lua', $with->('', ''));
    is $nginx->answers('/constant'), '17', 'alike ones';
    $nginx->write('lua/constant.lua', $with->('', '+ 100'));
    publishes('loaded again');
    is $nginx->answers('/constant'), '117', 'run';
    $nginx->write('lua/constant.lua', $with->('typedef struct { int a; } hot_new;', '') =~ s/^return/error("no way") return/mr);
    is +($nginx->publish)[0], 409, 'a new one in a change that is rejected';
    $nginx->write('lua/constant.lua', $with->('typedef struct { int a; } hot_new;', '+ ffi.sizeof("hot_new")'));
    publishes('is taken with the next one');
    is $nginx->answers('/constant'), '21', 'and runs';
    unlink "$nginx->{root}/lua/constant.lua" or die "constant.lua: $!";
    publishes('the module is gone');
};

subtest 'constants' => sub {
    my $constant = sub {
        my ($value) = @_;
        return <<"LUA";
local ffi = require "ffi"
ffi.cdef "static const int HOT_LIMIT = $value;"
return { text = function() return ffi.C.HOT_LIMIT end }
LUA
    };
    $nginx->write('lua/constant.lua', $constant->(1));
    is $nginx->answers('/constant'), '1', 'a constant';
    $nginx->write('lua/constant.lua', $constant->(2));
    my ($status, $reply) = $nginx->publish;
    # Either is honest; one that is accepted and keeps the old value is not.
    is $nginx->answers('/constant'), $status == 200 ? '2' : '1', "that changes ($status)";
    $nginx->write('lua/constant.lua', $constant->(1));
    publishes('the first again');
    is $nginx->answers('/constant'), '1', 'has its value';
};

subtest 'a finalizer' => sub {
    my $finalized = sub {
        my ($version) = @_;
        return <<"LUA";
local ffi = require "ffi"
ffi.cdef "struct hot_resource { int id; };"
local seen = require("hotlua").state("finalized", function() return {} end)
local resource = ffi.metatype("struct hot_resource", { __gc = function() seen["$version"] = true end })
return {
    text = function()
        do local _ = resource(1) end
        collectgarbage() collectgarbage()
        return (seen.one and "one" or "") .. (seen.two and "two" or "")
    end,
}
LUA
    };
    $nginx->write('lua/constant.lua', $finalized->('one'));
    publishes('a type with a finalizer');
    is $nginx->answers('/constant'), 'one', 'which is called';
    $nginx->write('lua/constant.lua', $finalized->('two'));
    publishes('another finalizer');
    is $nginx->answers('/constant'), 'onetwo', 'is called for new objects';
};

subtest "$RELOADS reloads" => sub {
    is $nginx->answers('/callback'), '1 2 3 4 5', 'a callback that C calls';
    my $memory = sub {
        $nginx->ask_all('/collect');
        my $sum = 0;
        $sum += (HotLua::Nginx::slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m)[0] for @workers;
        return $sum;
    };
    my ($before, @wrong);
    for my $number (1 .. $RELOADS) {
        my $up = $number % 2;
        $nginx->write('lua/callback.lua', callback($up ? 1 : -1));
        $nginx->write('lua/point.lua', point("v$number"));
        my ($status, $reply) = $nginx->publish;
        push @wrong, "$number: $status " . ($reply->{error} // '') if $status != 200;
        my $sorted = $nginx->get('/callback') =~ s/^\d+\n//r;
        push @wrong, "$number: sorted as $sorted" if $sorted ne ($up ? '1 2 3 4 5' : '5 4 3 2 1');
        my $text = $nginx->get('/point') =~ s/^\d+\n//r;
        push @wrong, "$number: $text" if $text ne text("v$number");
        $before = $memory->() if $number == int $RELOADS / 2;
        last if @wrong > 5;
    }
    is_deeply \@wrong, [], 'each was accepted and ran';
    cmp_ok $memory->() - $before, '<', 4096, 'the second half of them has grown the workers by less than 4 MB';
    is_deeply [sort $nginx->worker_pids], \@workers, 'no worker has died';
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
$nginx->stop;
done_testing;
