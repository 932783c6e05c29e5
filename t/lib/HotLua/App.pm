# Five modules that require one another, and handlers that list the versions they see: one where nothing is mixed.
package HotLua::App;
use strict;
use warnings;

use Carp qw(croak);

use HotLua::Nginx;

# Each keeps what it saw of the others while it loaded, so that a stale one shows as well as a stale require.
# VERSION and COMMENT are filled in.
my %SOURCE = (
    'app.d' => '--[[COMMENT]] return { version = VERSION }',
    'app.c' => '--[[COMMENT]] return { version = VERSION, d = require("app.d").version }',
    'app.b' => '--[[COMMENT]] return { version = VERSION, d = require("app.d").version }',
    'app.a' => '--[[COMMENT]] return { version = VERSION, b = require("app.b").version, c = require("app.c").version }',
    'app.e' => '--[[COMMENT]] return { version = VERSION, c = require("app.c").version }',
);

# app.e is required only after the wait, when a change may have come between.
my $HANDLER = <<'LUA';
local a = require "app.a"
WAIT
local b, c, d, e = require "app.b", require "app.c", require "app.d", require "app.e"
local text = table.concat({
    ngx.var.pid .. "\n" .. a.version, b.version, c.version, d.version, e.version, a.b, a.c, b.d, c.d, e.c,
}, " ")
ngx.header.content_length = #text
ngx.print(text)
LUA

# A request as a WebSocket's: it goes on, line by line, until /finish was asked for in its worker.
my $LONG = <<'LUA';
local state = require("hotlua").state
repeat
    local text = {}
    for _, name in ipairs { "a", "b", "c", "d", "e" } do text[#text + 1] = require("app." .. name).version end
    ngx.say(table.concat(text, " "))
    ngx.flush()
    ngx.sleep(0.02)
until state("finish")
ngx.say("end")
LUA
my $FINISH = 'require("hotlua").state("finish", function() return true end) ngx.print(ngx.var.pid, "\nfinished")';

my $VERSIONS = 10;    # in an answer

# How a module can be broken: (what, the module's source, what the error must say). The last one loads; what fails are
# the modules that require it.
my @BROKEN = (
    ['syntax error', "return {\n  version = = VERSION }", qr/unexpected symbol/],
    ['raises', "local x\nerror('refused on purpose')", qr/refused on purpose/],
    ['module that is missing', 'return { version = VERSION, x = require("app.is_missing") }', qr/app\.is_missing/],
    ['truncated in a table', 'return { version = VERSION', qr/'\}' expected|<eof>/],
    ['calls nil', "local x\nx()", qr/attempt to call/],
    ['truncated after return', 'return', qr/attempt to index/],
);

# start(workers => N, comment => BYTES a module, wait => {quick => LUA, waiting => LUA}, server => TEXT, files => {..}): an
# nginx with version 2 at /quick and at /waiting. WAIT is what they do between their first and their other requires.
sub start {
    my ($class, %option) = @_;
    my $self = bless { comment => 'x' x ($option{comment} // 1) }, $class;
    my $wait = $option{wait} // { quick => '', waiting => 'ngx.sleep(0.005)' };
    $self->{nginx} = HotLua::Nginx->new(
        workers => $option{workers} // 2,
        http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
        server => join('', map { "location = /$_ { content_by_lua_file %ROOT%/lua/$_.lua; }\n" } qw(quick waiting long finish))
            . ($option{server} // ''),
        files => {
            'lua/long.lua' => $LONG,
            'lua/finish.lua' => $FINISH,
            (map { ("lua/$_.lua" => $HANDLER =~ s/WAIT/$wait->{$_}/r) } qw(quick waiting)),
            (map { file_of($_) => $self->source_of($_, 2) } keys %SOURCE),
            %{ $option{files} // {} },
        },
    );
    return $self;
}

sub nginx { return $_[0]{nginx} }

sub file_of { my ($module) = @_; return 'lua/' . ($module =~ s{\.}{/}gr) . '.lua' }

sub source_of {
    my ($self, $module, $version) = @_;
    return $SOURCE{$module} =~ s/VERSION/$version/r =~ s/COMMENT/$self->{comment}/r;
}

# Writes a version of all five, without a word to nginx.
sub write_version {
    my ($self, $version) = @_;
    $self->{nginx}->write(file_of($_), $self->source_of($_, $version)) for sort keys %SOURCE;
    return;
}

# The same with one of them broken: (what is broken, its file, what the error must say). NUMBER picks which and how.
sub write_broken {
    my ($self, $version, $number) = @_;
    my ($what, $source, $error) = @{ $BROKEN[$number % @BROKEN] };
    # The one that merely returns nothing is app.d or app.b, which others look into; else each has its turn.
    my @modules = $what =~ /after return/ ? qw(app.d app.b) : sort keys %SOURCE;
    my $module = $modules[int($number / @BROKEN + $number) % @modules];
    $self->write_version($version);
    $self->{nginx}->write(file_of($module), $source =~ s/VERSION/$version/r);
    return ("$module: $what", file_of($module), $error);
}

# The path of the control call that activates what is on disk; HOTLUA_CALL=invalidate names the files one by one.
sub activating_call {
    my $call = $ENV{HOTLUA_CALL} || 'publish';
    return 'publish' if $call eq 'publish';
    croak "HOTLUA_CALL is publish or invalidate, not $call" if $call ne 'invalidate';
    return 'invalidate?' . join '&', map { "module=$_" } sort keys %SOURCE;
}

# Activates what is on disk: (status, decoded reply).
sub activate { my ($self) = @_; return $self->{nginx}->control(POST => activating_call()) }

# The versions in an answer, each once and sorted; none where it is no answer of a handler.
sub versions_of {
    my ($body) = @_;
    my (undef, $line) = split /\n/, $body, 2;
    my @words = split / /, $line // '';
    return if @words != $VERSIONS || grep { !/^\d+$/ } @words;
    my %seen = map { $_ => 1 } @words;
    return sort { $a <=> $b } keys %seen;
}

1;
