# Turns a block into an nginx.conf and a server root.
#
# The Lua of *_by_lua_block is named after its line in nginx.conf, and tests
# match that name. So main_config, http_config and config begin on the lines
# where Test::Nginx puts them: @HEAD below is padded to keep that so.
package Test::Nginx::Conf;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use Time::Local qw(timelocal);

use Test::Nginx::Settings qw(workers worker_connections log_level flag env_passed
    master_process_enabled server_root html_dir server_port port_of);

our @EXPORT_OK = qw(expand expand_port write_root write_user_files);

my $HEAD_LINES = 14;    # before main_config, a line for each env_to_nginx() added
my @TEMP_PATHS = qw(client_body proxy fastcgi scgi uwsgi);
my @ENV_PASSED = qw(LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS
    MOCKEAGAIN MOCKEAGAIN_VERBOSE MOCKEAGAIN_WRITE_TIMEOUT_PATTERN);

# $TEST_NGINX_XXX in a section; an unset one is a mistake in the test.
sub expand {
    my ($text) = @_;
    return $text if !defined $text || ref $text;
    $text =~ s/\$(TEST_NGINX_[A-Z0-9_]+)/_variable($1)/eg;
    return $text;
}

# $ServerPort in an expectation.
sub expand_port {
    my ($text) = @_;
    $text =~ s/\$ServerPort\b/server_port()/eg if defined $text && !ref $text;
    return $text;
}

sub _variable {
    my ($name) = @_;
    return server_port() if $name eq 'TEST_NGINX_SERVER_PORT';
    return server_root() if $name eq 'TEST_NGINX_SERVER_ROOT';
    return port_of($name) if $name =~ /^TEST_NGINX_RAND_PORT_\d+$/;
    return $ENV{$name} // die "no environment variable $name\n";
}

# A fresh root: conf/nginx.conf, logs/, html/ with its index and the user files.
sub write_root {
    my ($block, $config) = @_;
    my $root = server_root();
    remove_tree($root, { keep_root => 1 }) if -d $root;
    make_path(map { "$root/$_" } qw(conf logs html));
    _write_file(html_dir() . '/index.html',
        '<html><head><title>It works!</title></head><body>It works!</body></html>');
    write_user_files($block);
    _write_file("$root/conf/nginx.conf", _nginx_conf($block, $config));
}

# Again for each repetition, as a request may have changed them.
sub write_user_files {
    my ($block) = @_;
    _write_user_file(@$_) for _user_files($block);
}

sub _write_file {
    my ($path, $text) = @_;
    make_path(dirname($path));
    open my $file, '>', $path or die "cannot write $path: $!\n";
    binmode $file;
    print {$file} $text;
    close $file or die "cannot write $path: $!\n";
}

# Each as [name, content, date or undef]; given as ">>> name date" text or as data.
sub _user_files {
    my ($block) = @_;
    my $section = $block->user_files;
    return () if !defined $section;
    return @$section if ref $section;

    my (undef, @files) = split /^.*?>>>[ \t]*(\S+)[ \t]*(.*?)[ \t]*(?:\n|\z)/m, expand($section);
    die qq(--- user_files without a ">>> name"\n) if !@files;
    my @parsed;
    while (my ($name, $date, $content) = splice @files, 0, 3) {
        push @parsed, [ $name, $content // '', $date ];
    }
    return @parsed;
}

sub _write_user_file {
    my ($name, $content, $date) = @_;
    my $path = $name =~ m{^/} ? $name : html_dir() . "/$name";
    _write_file($path, $content);
    return if !length($date // '');
    # The time format of touch -t: CCYYMMDDhhmm.ss
    my ($year, $month, $day, $hour, $min, $sec) =
        $date =~ /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?$/ or return;
    my $time = timelocal($sec // 0, $min, $hour, $day, $month - 1, $year);
    utime $time, $time, $path or die "cannot date $path: $!\n";
}

sub _nginx_conf {
    my ($block, $config) = @_;
    my $root  = server_root();
    my $level = $block->log_level // log_level();
    chomp $level;
    my $error_log = $block->error_log_file // "$root/logs/error.log";
    chomp $error_log;

    my @head = (
        'worker_processes ' . workers() . ';',
        'daemon on;',
        'master_process ' . master_process_enabled() . ';',
        "error_log $error_log $level;",
        "pid $root/logs/nginx.pid;",
        (map {"env $_;"} @ENV_PASSED),
        (map { /\s/ ? "env '$_';" : "env $_;" } env_passed()),
    );
    push @head, '' while @head < $HEAD_LINES + env_passed();

    my $main = join '', map {"load_module $_; "} split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $http = $ENV{TEST_NGINX_POSTPONE_OUTPUT}
        ? "    postpone_output $ENV{TEST_NGINX_POSTPONE_OUTPUT};\n" : '';
    my $temp_paths = join ' ', map {"${_}_temp_path $root/${_}_temp;"} @TEMP_PATHS;
    my $name = $block->server_name // 'localhost';
    chomp $name;

    $main .= expand($block->main_config)  // '';
    $http .= expand($block->http_config)  // '';
    my $server = expand($config)          // '';
    my $after = expand($block->post_main_config) // '';

    return join("\n", @head) . <<CONF;


$main

http {
    access_log $root/logs/access.log; $temp_paths


    default_type text/plain;
    keepalive_timeout 68s;

$http
    server {
        listen @{[ server_port() ]};
        server_name '$name';
        client_max_body_size 30M;








        # config of the block
$server
        # end of it
@{[ flag('no_root_location') ? '' : _root_location() ]}
    }
}

$after
events {
    accept_mutex off;
    worker_connections @{[ worker_connections() ]};
    @{[ $ENV{TEST_NGINX_EVENT_TYPE} ? "use $ENV{TEST_NGINX_EVENT_TYPE};" : '' ]}
}
@{[ _user() ]}
CONF
}

sub _root_location {
    return <<CONF;
        location / {
            root @{[ html_dir() ]};
            index index.html index.htm;
        }
CONF
}

# Workers keep the tester's own user, so that they can read the server root.
sub _user {
    return '' if $> != 0;
    return "user " . ($ENV{TEST_NGINX_WORKER_USER} || getpwuid $>) . ';';
}

1;
