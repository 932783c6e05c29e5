# Sockets while the code changes: clients that never pause use Redis over pooled connections, subscribers wait for messages,
# and each publish changes the application and the Redis library. Nothing fails or is mixed, and the connections stay.
# HOTLUA_SOCKET_PUBLISHES (default 60) is how many.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::App;
use HotLua::Clients;
use HotLua::Server;

my $publishes = $ENV{HOTLUA_SOCKET_PUBLISHES} || 60;
my ($KEPT, $SHORT, $SUBSCRIBERS, $WORKERS) = (4, 4, 4, 2);

my $LIBRARY = '/usr/share/lua/5.1/nginx/redis.lua';
my $library = HotLua::Nginx::slurp($LIBRARY) or die "$LIBRARY: $! (scripts/setup --test installs it)\n";
my $redis = HotLua::Server->redis;

# Each raises at the first thing that is not as it should be, so that its answer is 500.
my $CONNECT = <<"LUA";
local red = assert(require("nginx.redis"):new())
red:set_timeout(5000)
assert(red:connect("127.0.0.1", $redis->{port}))
local key = "key:" .. tostring(ngx.worker.pid()) .. ":" .. tostring(ngx.var.connection)
LUA
my $KEEP = 'assert(red:set_keepalive(60000, 100))';

my $GET_SET = <<"LUA";
$CONNECT
assert(red:set(key, a.version) == "OK")
assert(red:get(key) == tostring(a.version))
$KEEP
LUA

my $PIPELINE = <<"LUA";
$CONNECT
red:init_pipeline()
for i = 1, 20 do red:set(key .. ":" .. i, ("value " .. i):rep(i * 10)) end
for i = 1, 20 do red:get(key .. ":" .. i) end
local replies = assert(red:commit_pipeline())
for i = 1, 20 do assert(replies[i] == "OK" and replies[20 + i] == ("value " .. i):rep(i * 10)) end
$KEEP
LUA

# A line for each message: the message and the versions that the subscriber sees.
my $SUBSCRIBER = <<"LUA";
$CONNECT
assert(red:subscribe("news"))
ngx.say("subscribed")
ngx.flush(true)
repeat
    local reply = assert(red:read_reply())
    ngx.say(reply[3], " ", require("app.a").version, " ", require("app.b").d, " ", require("app.e").version)
    ngx.flush(true)
until reply[3] == "end"
assert(red:unsubscribe("news"))
assert(red:set_keepalive(1000, 100))
LUA

# How often the connection of a pool of its own was used, told by each worker.
my $REUSED = <<"LUA";
local red = require("nginx.redis"):new()
assert(red:connect("127.0.0.1", $redis->{port}, { pool = "reused" }))
ngx.say(ngx.var.pid)
ngx.print(red:get_reused_times())
assert(red:set_keepalive(0, 10))
LUA

my $app = HotLua::App->start(
    workers => $WORKERS,
    wait => { quick => $GET_SET, waiting => $PIPELINE },
    server => join('', map { "location = /$_ { lua_http10_buffering off; content_by_lua_file %ROOT%/lua/$_.lua; }\n" } qw(subscriber reused)),
    files => { 'lua/nginx/redis.lua' => $library, 'lua/subscriber.lua' => $SUBSCRIBER, 'lua/reused.lua' => $REUSED },
);
my $nginx = $app->nginx;
is $nginx->answers("/$_"), join(' ', (2) x 10), "both workers have the first version at /$_" for qw(quick waiting);

subtest 'a pool outlives the code that filled it' => sub {
    $nginx->ask_all('/reused');
    for my $round (1 .. 3) {
        $nginx->write('lua/nginx/redis.lua', "$library\n-- before $round\n");
        is +($nginx->publish)[0], 200, 'published';
        my $times = $nginx->ask_all('/reused');
        is_deeply [grep { $_ < $round } values %$times], [], "the connection of each worker is the one of before ($round)";
    }
};

my @subscribers = map { subscribe() } 1 .. $SUBSCRIBERS;
my $clients = HotLua::Clients->start(app => $app, kept => $KEPT, short => $SHORT);
my $opened = received();
my ($version, @wrong, $late) = (2);
for my $number (1 .. $publishes) {
    $version += 2;
    $app->write_version($version);
    $nginx->write('lua/nginx/redis.lua', "$library\n-- $number\n");
    my ($status, $reply) = $app->activate;
    if ($status == 200) { $clients->published($version) }
    else { push @wrong, "$number: status $status: " . ($reply->{error} // '') }
    command("PUBLISH news $number\r\n");
    push @subscribers, subscribe() and $late = $version if $number == int($publishes / 2);
}
my $seen = $clients->stop;
$opened = received() - $opened;
command("PUBLISH news end\r\n");

is_deeply \@wrong, [], "$publishes publishes were accepted";
is $seen->{$_}, 0, "no request $_" for qw(failed mixed older rejected);
is_deeply $seen->{problems}, [], 'the clients met no problem';
cmp_ok $seen->{versions}, '>', 1, "the clients saw versions change ($seen->{requests} requests)";

# What was opened since: the pooled connections and those of our own PUBLISH.
my $most = $WORKERS * ($KEPT + $SHORT) + 1 + $publishes + 1;
cmp_ok $opened, '<=', $most, "connections were opened once, not at each publish ($opened in $seen->{requests} requests)";

for my $number (0 .. $#subscribers) {
    my @lines = split /\n/, $nginx->finish($subscribers[$number]);
    my ($first, $saw) = $number < $SUBSCRIBERS ? (1, 2) : (int($publishes / 2) + 1, $late);
    is_deeply \@lines, [map {"$_ $saw $saw $saw"} $first .. $publishes, 'end'],
        "subscriber $number got each message, in its generation to the end";
}

is $nginx->answers("/$_"), join(' ', ($version) x 10), "both workers have the last version at /$_" for qw(quick waiting);
$nginx->wait_for('the retired generations to end', sub { clients_of_redis() <= $WORKERS * ($KEPT + $SHORT) + @subscribers + $WORKERS + 1 });
pass 'no connection was left behind by a generation';

subtest 'connections that wait in a pool hold up no worker that ends' => sub {
    $nginx->ask_all('/reused');
    my @old = $nginx->worker_pids;
    $nginx->reload;
    $nginx->wait_for('the old workers to end', sub { !grep { kill 0 => $_ } @old });
    pass 'they have ended';
    $nginx->ask_all('/reused');
};
unlike $nginx->error_log, qr/\[(?:error|crit|alert|emerg)\]/, 'no error was logged';
$nginx->stop;
done_testing;

# A request that has subscribed.
sub subscribe {
    my $socket = $nginx->begin('/subscriber');
    while (my $line = <$socket>) { return $socket if $line eq "subscribed\n" }
    die "the subscriber ended:\n" . $nginx->error_log;
}

sub command { my ($command) = @_; return HotLua::Server::ask($redis->{port}, $command) }

# How many connections Redis has ever accepted.
sub received { return command("INFO stats\r\n") =~ /total_connections_received:(\d+)/ ? $1 : die 'no INFO' }

sub clients_of_redis { return command("INFO clients\r\n") =~ /connected_clients:(\d+)/ ? $1 : die 'no INFO' }
