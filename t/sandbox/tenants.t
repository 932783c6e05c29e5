# Tenants: `per` gives each its own VMs, `vms` bounds how many there are, and none sees what another did.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

# A function of the host's has the same address as long as the VM lives, masked by a number of the VM's own.
my $IDENTITY = 'ngx.print(tostring(ngx.say))';

my $ALLOW = <<'ALLOW';
    allow ngx.say ngx.print ngx.header ngx.status ngx.req.get_headers tostring pcall setmetatable getmetatable rawset
          pairs string table math error _G;
ALLOW
my %PROFILE = (
    few    => 'per $http_x_tenant; vms 2;',
    many   => 'per $http_x_tenant; vms 4; instructions 100000m; time 60s;',
    single => 'per $http_x_tenant; vms 1; instructions 100000m; time 60s;',
    shared => 'vms 1;',
);

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => join('', map { "hotlua_sandbox $_ { $ALLOW $PROFILE{$_} }\n" } sort keys %PROFILE),
    server => join('', map { "location ~ ^/$_/(\\w+)\$ { content_by_sandbox_file $_ %ROOT%/scripts/\$1.lua; }\n" }
        sort keys %PROFILE),
    files => {
        'scripts/identity.lua' => $IDENTITY,
        'scripts/leave.lua' => <<'LUA',
            mark = "left"
            _G.other = "left"
            string.mark, math.floor, table.insert = "left", "left", nil
            ngx.mark, ngx.header["X-Mark"] = "left", "left"
            pcall(setmetatable, _G, { __index = function() return "left" end })
            pcall(function() getmetatable("").__index.mark = "left" end)
            math.randomseed(7)
            ngx.print("left")
LUA
        'scripts/look.lua' => <<'LUA',
            local found = {}
            for name, value in pairs { mark = mark or false, other = other or false, string = string.mark or false,
                method = ("").mark or false, ngx = ngx.mark or false, header = ngx.header["X-Mark"] or false } do
                if value then table.insert(found, name) end
            end
            local random = math.random()
            math.randomseed(7)
            if random == math.random() then table.insert(found, "seed") end
            ngx.print(#found == 0 and "nothing" or table.concat(found, " "), " ", math.floor(1.5))
LUA
        'scripts/secret.lua' => 'secret = { key = ngx.req.get_headers()["x-tenant"] } ngx.print(secret.key)',
        'scripts/endless.lua' => 'while true do end',
        'scripts/error.lua' => 'error("on purpose")',
        'scripts/syntax.lua' => 'x = = 1',
        'scripts/hoard.lua' => 'kept = ("x"):rep(2^20) hoard = {} for i = 1, 100 do hoard[i] = i end ngx.print("kept")',
    },
);

sub ask {
    my ($path, $tenant) = @_;
    my $response = $nginx->request($path, headers => { 'X-Tenant' => $tenant // 'nobody' });
    return $response->{status} == 200 ? $response->{content} : $response->{status};
}

# A request whose answer is not waited for, by a tenant.
sub begin {
    my ($path, $tenant) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->{port}) or die "connect: $@";
    syswrite $socket, "GET $path HTTP/1.0\r\nX-Tenant: $tenant\r\n\r\n";
    # The worker takes connections one after the other: when this is answered that one has begun.
    $nginx->get('/pid');
    return $socket;
}

subtest 'each tenant has a VM of its own' => sub {
    my %vm = map { $_ => ask('/few/identity', $_) } qw(a b);
    like $vm{a}, qr/^function: 0x[0-9a-f]+$/, 'a function is told by a number';
    isnt $vm{a}, $vm{b}, 'which is another VM\'s for another tenant';
    is ask('/few/identity', $_), $vm{$_}, "$_ finds its own again" for qw(a b a b);
};

subtest 'without `per` all share one' => sub {
    my $vm = ask('/shared/identity', 'a');
    is ask('/shared/identity', 'b'), $vm, 'whoever asks';
};

subtest 'what a run leaves is not there for another tenant, nor for the next run' => sub {
    for my $profile (qw(few shared)) {
        is ask("/$profile/leave", 'a'), 'left', "$profile: it changes what it can";
        is ask("/$profile/look", 'b'), 'nothing 1', "$profile: the other finds nothing";
        is ask("/$profile/look", 'a'), 'nothing 1', "$profile: neither does its own next run";
    }
    is ask('/few/secret', $_), $_, "a script that all run answers for $_" for qw(a b a);
};

subtest 'the least recently used VM makes room' => sub {
    my %vm = map { $_ => ask('/few/identity', $_) } qw(a b);
    is ask('/few/identity', 'a'), $vm{a}, 'a is used last';
    $vm{c} = ask('/few/identity', 'c');
    is ask('/few/identity', 'a'), $vm{a}, 'a stays';
    is ask('/few/identity', 'c'), $vm{c}, 'c stays';
    isnt ask('/few/identity', 'b'), $vm{b}, 'b had to go';
    is ask('/few/identity', 'c'), $vm{c}, 'for b a goes, not c';
    isnt ask('/few/identity', 'a'), $vm{a}, 'a is gone';
    my %seen = map { ask('/few/identity', "t$_") => 1 } 1 .. 50;
    is scalar(keys %seen), 50, 'fifty tenants: as many VMs, one after the other';
    is ask('/few/identity', 't50'), (map { ask('/few/identity', 't50') } 1)[0], 'the last is still there';
};

subtest 'a VM goes on after an error, and not after a limit' => sub {
    my $vm = ask('/shared/identity');
    is ask('/shared/error'), 500, 'an error';
    is ask('/shared/identity'), $vm, 'the VM is the same';
    is ask('/shared/syntax'), 500, 'a syntax error';
    is ask('/shared/identity'), $vm, 'the same again';
    is ask('/shared/endless'), 500, 'a limit';
    isnt ask('/shared/identity'), $vm, 'another VM';
};

subtest 'what a run leaves behind is nothing to the next one' => sub {
    is ask('/shared/hoard'), 'kept', "a script that fills its VM, run $_" for 1 .. 12;
};

subtest 'no tenant takes all VMs' => sub {
    my @attacks = map { begin('/many/endless', 'a') } 1 .. 8;
    like ask('/many/identity', 'b'), qr/^function/, 'another is answered meanwhile';
    my $vm = ask('/many/identity', 'b');
    is ask('/many/identity', 'b'), $vm, 'and again, by its own VM';
    like ask('/many/identity', 'c'), qr/^function/, 'a third, too';
    close $_ for @attacks;
    like ask('/many/identity', 'a'), qr/^function/, 'the tenant itself, when its clients have gone';
};

subtest 'where there is one VM, tenants take turns' => sub {
    my $vm = ask('/single/identity', 'a');
    my $attack = begin('/single/endless', 'a');
    my $waiting = begin('/single/identity', 'b');
    ok !readable($waiting), 'one waits for the other';
    close $attack;
    my $answer = do { local $/; <$waiting> };
    like $answer, qr/^HTTP.* 200 .*function: 0x/s, 'and is answered when its VM is free';
    isnt ask('/single/identity', 'a'), $vm, 'the first has a new one';
};

$nginx->stop;
is_deeply [grep { /^\S+ \S+ \[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
done_testing;

sub readable {
    my ($socket) = @_;
    my $set = '';
    vec($set, fileno $socket, 1) = 1;
    return scalar select $set, undef, undef, 0;
}
