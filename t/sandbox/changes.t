# Scripts that change: a publish makes the new text run, without it nothing changes; lua_code_cache off reads the disk.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

sub script {
    my ($version) = @_;
    return "count = (count or 0) + 1 string.own = (string.own or 0) + 1 ngx.print('$version ', count, ' ', string.own)";
}

sub start {
    my ($server) = @_;
    return HotLua::Nginx->new(
        workers => 2,
        http => 'hotlua_sandbox tenants { allow string ngx.print; }',
        server => "$server location ~ ^/run/(\\w+)\$ { add_header X-Pid \$pid; content_by_sandbox_file tenants %ROOT%/scripts/\$1.lua; }",
        files => { 'scripts/a.lua' => script('one'), 'scripts/b.lua' => script('other') },
    );
}

# What all workers answer; more than one where they differ.
sub answers {
    my ($nginx, $path) = @_;
    my %answer;
    my @pids = $nginx->worker_pids;
    $nginx->wait_for("an answer of each of @pids to $path", sub {
        my $response = $nginx->request($path);
        $answer{ $response->{headers}{'x-pid'} // $pids[0] } = $response->{status} == 200 ? $response->{content} : $response->{status};
        return $response->{status} != 200 || !grep { !defined $answer{$_} } @pids;
    });
    my %seen = map { $_ => 1 } values %answer;
    return join '|', sort keys %seen;
}

subtest 'a publish' => sub {
    my $nginx = start('');
    is answers($nginx, '/run/a'), 'one 1 1', 'the first version' for 1 .. 2;
    $nginx->write('scripts/a.lua', script('two'));
    is answers($nginx, '/run/a'), 'one 1 1', 'what is on the disk runs when it is published';
    my ($status, $reply) = $nginx->publish;
    is $status, 200, 'it is';
    is answers($nginx, '/run/a'), 'two 1 1', 'the new version, without globals of the old one';
    is answers($nginx, '/run/b'), 'other 1 1', 'the other script goes on';
    $nginx->write('scripts/a.lua', 'x = = 1');
    is +($nginx->publish)[0], 200, 'a script that does not compile rejects nothing';
    is $nginx->request('/run/a')->{status}, 500, 'but does not run';
    is answers($nginx, '/run/b'), 'other 1 1', 'the other one does';
    $nginx->write('scripts/a.lua', script('three'));
    $nginx->publish;
    is answers($nginx, '/run/a'), 'three 1 1', 'mended';
    my ($rolled) = $nginx->rollback('to=' . $reply->{generation});
    is $rolled, 200, 'a rollback';
    is answers($nginx, '/run/a'), 'two 1 1', 'brings the older version back';
    unlink "$nginx->{root}/scripts/a.lua";
    $nginx->publish;
    is $nginx->request('/run/a')->{status}, 404, 'one that was deleted is not found';
    $nginx->write('scripts/c.lua', script('new'));
    is answers($nginx, '/run/c'), 'new 1 1', 'one that is new needs no publish';
};

subtest 'many versions of a script: the VM does not keep what they compiled to' => sub {
    my $nginx = start('');
    for my $version (1 .. 40) {
        $nginx->write('scripts/a.lua', script($version) . ' local t = "' . ('x' x 50_000) . $version . '"');
        $nginx->publish;
        my $got = $nginx->get('/run/a');
        is $got, "$version 1 1", "version $version" if $got ne "$version 1 1" || $version == 40;
    }
};

subtest 'lua_code_cache off' => sub {
    my $nginx = start('lua_code_cache off;');
    is answers($nginx, '/run/a'), 'one 1 1', 'the first version' for 1 .. 2;
    $nginx->write('scripts/a.lua', script('two'));
    is answers($nginx, '/run/a'), 'two 1 1', 'a change counts at once' for 1 .. 2;
    $nginx->write('scripts/a.lua', 'x = = 1');
    is $nginx->request('/run/a')->{status}, 500, 'so does a mistake';
    unlink "$nginx->{root}/scripts/a.lua";
    is $nginx->request('/run/a')->{status}, 404, 'and that it is gone';
    is answers($nginx, '/run/b'), 'other 1 1', 'the other script goes on';
    is $nginx->request("/run/$_")->{status}, 404, "$_ is not found" for qw(none a);
};

done_testing;
