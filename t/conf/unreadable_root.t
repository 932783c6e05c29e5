# A code root that nginx may not read. Nothing is unreadable to root, so this runs as another user.
use strict;
use warnings;

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

my ($MODULE) = grep {m{/libngx_http_hotlua_module\.so$}} split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
plan skip_all => 'TEST_NGINX_LOAD_MODULES does not name our module' if !$MODULE;
my $NOBODY = getpwnam 'nobody';
plan skip_all => 'root can read everything and there is no user "nobody"' if $> == 0 && !$NOBODY;

my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $root = tempdir(CLEANUP => 1);
mkdir "$root/$_" or die "$root/$_: $!" for qw(logs lua closed closed/lua);

# The module's own directory may be closed to that user.
copy($MODULE, "$root/module.so") or die "$MODULE: $!";
chmod 0755, "$root/module.so";

for (
    ['lua', 0, 'one that may not be listed'],
    ['closed/lua', 0755, 'one inside of what may not be entered', 'closed'],
) {
    my ($directory, $mode, $name, $around) = @$_;
    open my $conf, '>', "$root/nginx.conf" or die $!;
    print {$conf} "load_module $root/module.so;\npid logs/nginx.pid;\nevents {}\nhttp {\n    hotlua_root $directory;\n}\n";
    close $conf or die $!;
    if ($> == 0) {
        chown $NOBODY, -1, map {"$root$_"} '', '/nginx.conf', '/logs', '/lua', '/closed', '/closed/lua';
    }
    chmod 0755, $root;
    chmod $mode, "$root/$directory" or die $!;
    chmod 0, "$root/$around" or die $! if $around;
    my $said = said();
    chmod 0755, $around ? "$root/$around" : (), "$root/$directory";
    like $said, qr/\[emerg\] .*hotlua_root "\S+\Q$directory\E" cannot be used: Permission denied/, $name;
    like $said, qr/ in \S+nginx\.conf:5$/m, "$name: file and line";
}
done_testing;

# What `nginx -t` says, as a user whom permissions bind.
sub said {
    my $pid = open(my $out, "-|") // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die $!;
        $> = $< = $NOBODY if $> == 0;
        exec $nginx, '-t', '-p', "$root/", '-c', 'nginx.conf', '-e', 'stderr' or die "$nginx: $!";
    }
    local $/;
    return scalar(<$out>) // '';
}
