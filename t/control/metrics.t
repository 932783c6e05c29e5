# What GET metrics tells, as a scraper reads it, and that the counters of changes outlive workers and reloads.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Metrics;
use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
        location = /app { content_by_lua_block { ngx.print(ngx.var.pid, "\n", require("app").version) } }
        location = /held {
            content_by_lua_block {
                local held = require("hotlua").state("held", function() return {} end)
                io.open("%ROOT%/marks/held", "w"):close()
                while not held.over do ngx.sleep(0.01) end
                held.over = nil
            }
        }
        location = /over {
            content_by_lua_block {
                require("hotlua").state("held", function() return {} end).over = true
                ngx.print(ngx.var.pid, "\nover")
            }
        }
CONF
    files => { 'lua/app.lua' => 'return { version = 1 }' },
);

# The samples by name.
sub metrics {
    my $response = $nginx->request('/hotlua/metrics');
    is $response->{status}, 200, 'metrics' if $response->{status} != 200;
    my (undef, $sample) = HotLua::Metrics::parse($response->{content});
    return $sample;
}

# Reloads nginx, until the workers before, which would still answer, are gone.
sub reload {
    my @before = $nginx->worker_pids;
    $nginx->reload;
    $nginx->wait_for('the workers before to end', sub { !kill 0 => @before });
    return;
}

sub changes { my $sample = metrics(); return join ' ', map { $sample->{"hotlua_${_}_total"} } qw(activations rejections rollbacks) }

subtest 'the answer' => sub {
    is $nginx->answers('/app'), 1, 'both workers have loaded the module';
    my $response = $nginx->request('/hotlua/metrics');
    is $response->{status}, 200, 'it is answered';
    is $response->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'in the format that it says';
    is $response->{headers}{'cache-control'}, 'no-store', 'and not to be kept';
    my ($family, $sample) = HotLua::Metrics::parse($response->{content});
    is_deeply { map { $_ => $family->{$_}{type} } keys %$family }, {
        (map { $_ => 'gauge' } qw(hotlua_generation hotlua_candidate hotlua_last_error hotlua_zone_size_bytes
            hotlua_zone_used_bytes hotlua_worker_generation hotlua_worker_modules)),
        (map { $_ => 'counter' } qw(hotlua_activations_total hotlua_rejections_total hotlua_rollbacks_total)),
    }, 'all there is, and nothing of a sandbox that there is not';
    my $status = $nginx->status;
    my %want = (
        hotlua_generation => $status->{generation},
        hotlua_candidate => 0,
        hotlua_last_error => 0,
        hotlua_activations_total => 1,
        hotlua_rejections_total => 0,
        hotlua_rollbacks_total => 0,
        hotlua_zone_size_bytes => $status->{zone}{size},
        (map { ("hotlua_worker_generation{worker=\"$_\"}" => $status->{generation}) } 0, 1),
        (map { ("hotlua_worker_modules{worker=\"$_\"}" => 1) } 0, 1),
    );
    my $used = delete $sample->{hotlua_zone_used_bytes};
    is_deeply $sample, \%want, 'it is what the status tells';
    cmp_ok $used, '>', 0, 'some of the zone is in use';
    cmp_ok $used, '<', $status->{zone}{size}, 'and some is not';
};

subtest 'how it is asked for' => sub {
    my $head = $nginx->request('/hotlua/metrics', method => 'HEAD');
    is "$head->{status} $head->{headers}{'content-type'}", '200 text/plain; version=0.0.4; charset=utf-8', 'by HEAD';
    is $head->{content} // '', '', 'whose answer has no body';
    for my $method (qw(POST PUT DELETE OPTIONS)) {
        my $response = $nginx->request('/hotlua/metrics', method => $method);
        is "$response->{status} $response->{headers}{allow}", '405 GET, HEAD', "not by $method";
    }
    is $nginx->request('/hotlua/metrics?x=1')->{status}, 400, 'without arguments';
    like $nginx->get('/hotlua/none'), qr/GET metrics/, 'an unknown call names it';
};

subtest 'changes are counted' => sub {
    $nginx->write('lua/app.lua', 'return { version = 2 }');
    is +($nginx->publish)[0], 200, 'a publish';
    is changes(), '2 0 0', 'is an activation';
    is +($nginx->publish)[0], 200, 'one that changes nothing';
    is changes(), '2 0 0', 'is none';
    $nginx->write('lua/app.lua', 'return {');
    is +($nginx->publish)[0], 409, 'one that does not compile';
    is changes(), '2 1 0', 'is a rejection';
    is metrics()->{hotlua_last_error}, 1, 'and the last error';
    $nginx->write('lua/app.lua', 'error("no")');
    is +($nginx->publish)[0], 409, 'one that raises';
    is changes(), '2 2 0', 'is a rejection, of however many workers';
    is +($nginx->rollback)[0], 200, 'a rollback';
    is changes(), '3 2 1', 'is an activation too';
    is metrics()->{hotlua_last_error}, 0, 'after which there is no error';
    is +($nginx->rollback('to=99'))[0], 404, 'one to nowhere';
    is changes(), '3 2 1', 'is nothing';
    is metrics()->{hotlua_generation}, $nginx->status->{generation}, 'the generation is the active one';
};

subtest 'what is counted stays' => sub {
    my @pids = $nginx->worker_pids;
    kill KILL => @pids;
    $nginx->wait_for('new workers', sub {
        my @now = $nginx->worker_pids;
        return @now == 2 && !grep { $_ == $pids[0] || $_ == $pids[1] } @now;
    });
    is changes(), '3 2 1', 'when all workers die';
    $nginx->write('lua/app.lua', 'return {');
    reload();
    is changes(), '3 3 1', 'when nginx is reloaded, whose broken snapshot is a rejection';
    is metrics()->{hotlua_last_error}, 1, 'and the last error';
    $nginx->write('lua/app.lua', 'return { version = 3 }');
    reload();
    is changes(), '4 3 1', 'and a good one an activation';
};

subtest 'requests that are held' => sub {
    my $held = $nginx->begin('/held');
    $nginx->wait_for('it to run', sub { -e "$nginx->{root}/marks/held" });
    my $before = $nginx->status->{generation};
    $nginx->write('lua/app.lua', 'return { version = 4 }');
    is +($nginx->publish)[0], 200, 'another generation comes while a request runs';
    $nginx->wait_for('the pin', sub {
        my $sample = metrics();
        return grep { /^hotlua_worker_pinned_requests\{worker="[01]",generation="$before"\}$/ && $sample->{$_} == 1 } keys %$sample;
    });
    pass 'it is told with its worker and generation';
    $nginx->answers('/over');
    $nginx->finish($held);
    $nginx->wait_for('no pin', sub { !grep { /pinned/ } keys %{ metrics() } });
    pass 'until it ends';
};

$nginx->stop;

subtest 'who may ask' => sub {
    my $other = HotLua::Nginx->new(
        workers => 1,
        server => <<'CONF',
            location /stranger/ { set_real_ip_from 127.0.0.1; hotlua_control; }
            location /token/ { hotlua_control; hotlua_control_token %ROOT%/token; }
CONF
        files => { token => 's3cret' },
    );
    is $other->request('/stranger/metrics', headers => { 'X-Real-IP' => '192.0.2.1' })->{status}, 403, 'no stranger';
    is $other->request('/token/metrics')->{status}, 401, 'nobody without the token';
    is $other->request('/token/metrics', headers => { Authorization => 'Bearer s3cret' })->{status}, 200, 'who has it';
    $other->stop;
};

done_testing;
