# Expectations that do not hold must fail: runs blocks, each with one wrong
# expectation, in a child, and wants exactly that one reported as not ok.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Test::Nginx::Socket ();

# The failure's name, and the sections that are wrong.
my @WRONG = (
    [ 'status code',            "--- error_code: 404" ],
    [ 'status code',            "--- error_code_like: ^5" ],
    [ 'response_body ',         "--- response_body\ny" ],
    [ 'response_body ',         "--- response_body eval: qr/y/" ],
    [ 'response_body_like',     "--- response_body_like: ^y" ],
    [ 'response_body_unlike',   "--- response_body_unlike: x" ],
    [ 'header Content-Type',    "--- response_headers\nContent-Type: text/html" ],
    [ 'header X-Absent',        "--- response_headers\nX-Absent: a" ],
    [ 'header Server absent',   "--- response_headers\n!Server" ],
    [ 'header Server like',     "--- response_headers_like\nServer: ngin" ],
    [ 'raw headers',            "--- raw_response_headers_like: X-Absent" ],
    [ 'raw headers unlike',     "--- raw_response_headers_unlike: nginx" ],
    [ 'pattern "absent"',       "--- error_log: absent" ],
    [ 'pattern "(?^:absent)"',  "--- error_log eval: qr/absent/" ],
    [ 'pattern "nginx"',        "--- no_error_log: nginx" ],
    [ 'grep_error_log_out',     "--- grep_error_log: worker cycle\n--- grep_error_log_out\nnone" ],
    [ 'pattern "POST"',         "--- access_log: POST" ],
    [ 'pattern "absent"',       "--- shutdown_error_log: absent" ],
    [ 'refuses to start',       "--- must_die" ],
    [ 'nginx starts',           "--- main_config\nno_such_directive;" ],
    [ 'refuses to start',       "--- must_die: 2\n--- main_config\nno_such_directive;" ],
    [ 'the client timed out',   "--- raw_request eval: qq(GET /t HTTP/1.0\\r\\n)\n--- timeout: 50ms\n--- error_code:" ],
    [ 'must be an array',       "--- request eval: ['GET /t', 'GET /t']\n--- response_body\nx" ],
    [ 'no environment variable', "--- main_config\n\$TEST_NGINX_NOT_SET" ],
    [ 'crashed',                "--- init\n\$ENV{HARNESS_KILL} = 1;" ],
);

plan skip_all => 'tests our own harness' if !Test::Nginx::Socket->can('client_port');
plan tests => 1 + @WRONG;

my $dir = tempdir(CLEANUP => 1);
$ENV{TEST_NGINX_SERVROOT} = "$dir/servroot";
chmod 0755, $dir;

my $kill = <<'EOK';
add_response_body_check(sub {
    return if !delete $ENV{HARNESS_KILL};
    open my $file, '<', server_root() . '/logs/nginx.pid' or die;
    my $pid = <$file> + 0;
    kill KILL => $pid;
    select undef, undef, undef, 0.002 while kill(0 => $pid) && !`grep -s '^State:.Z' /proc/$pid/status`;
});
EOK

sub outcome {
    my ($sections) = @_;
    open my $file, '>', "$dir/wrong.t" or die "cannot write: $!";
    print {$file} "use Test::Nginx::Socket 'no_plan';\n${kill}run_tests();\n__DATA__\n\n",
        "=== TEST 1: wrong\n--- config\nlocation = /t { return 200 \"x\\n\"; }\n",
        ($sections =~ /request/ ? '' : "--- request\nGET /t\n"), $sections, "\n";
    close $file;
    my @failed = grep {/^not ok/} `$^X @{[ map {"-I'$_'"} grep { !ref } @INC ]} $dir/wrong.t 2>&1`;
    return ($? >> 8, @failed);
}

my ($status, @failed) = outcome("--- response_body\nx\n--- error_log\nGET /t");
ok($status == 0 && !@failed, 'what holds passes') or diag(@failed);

for my $case (@WRONG) {
    my ($expected, $sections) = @$case;
    my ($status, @failed) = outcome($sections);
    my $title = $sections =~ s/\n/ | /gr;
    ok($status != 0 && @failed == 1 && index($failed[0], $expected) >= 0, "fails: $title")
        or diag("exit status $status, failed:\n", @failed ? @failed : 'none');
}
