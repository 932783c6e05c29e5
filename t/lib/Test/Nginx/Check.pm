# The assertions on one response, as the block's sections ask for them.
package Test::Nginx::Check;

use strict;
use warnings;

use Digest::MD5 ();
use Digest::SHA ();
use Exporter 'import';
use Test::LongString ();
use Test::More ();

use Test::Nginx::Conf qw(expand expand_port);
use Test::Nginx::Settings qw(flag);

our @EXPORT_OK = qw(check_response is_str add_response_body_check);

my @body_checks;
my %BODY_FILTER = (
    md5_hex  => \&Digest::MD5::md5_hex,
    sha1_hex => \&Digest::SHA::sha1_hex,
    length   => sub { length $_[0] },
    uc       => sub { uc $_[0] },
    lc       => sub { lc $_[0] },
    ucfirst  => sub { ucfirst $_[0] },
    lcfirst  => sub { lcfirst $_[0] },
);

sub add_response_body_check { push @body_checks, @_ }

# $at: { block, name, request, repeat, many }; many where there are several requests.
sub check_response {
    my ($response, $at) = @_;
    Test::More::diag("$at->{name} - $response->{warning}") if $response->{warning};
    _check_code($response, $at);
    _check_raw_headers($response, $at);
    _check_headers($response, $at);
    return if defined $at->{block}->ignore_response_body;
    _check_body($response, $at);
    $_->($at->{block}, $response->{body}, $at->{request}, $at->{repeat}, 0) for @body_checks;
}

# What a section expects of this response: its own element of an array. Several
# requests need an array, lest an expectation hold for one of them by chance.
sub _expected {
    my ($section, $at) = @_;
    my $value = $at->{block}->$section;
    return undef if !defined $value;
    return $value->[ $at->{request} ] if ref $value eq 'ARRAY';
    die "--- $section must be an array, as there are several requests\n" if $at->{many};
    return $value;
}

sub _check_code {
    my ($response, $at) = @_;
    my $code = $response->{code};
    my $like = _expected(error_code_like => $at);
    if (defined $like) {
        Test::More::like($code, _regex($like), "$at->{name} - status code");
        return;
    }
    my $code_expected = _expected(error_code => $at) // 200;
    $code_expected =~ s/\s+\z//;
    Test::More::is($code, $code_expected, "$at->{name} - status code")
        or Test::More::diag('the response begins with: ',
            substr $response->{raw_headers} . "\n" . $response->{body}, 0, 1000);
}

sub _check_raw_headers {
    my ($response, $at) = @_;
    my $like = _expected(raw_response_headers_like => $at);
    Test::More::like($response->{raw_headers}, _regex($like), "$at->{name} - raw headers")
        if defined $like;
    my $unlike = _expected(raw_response_headers_unlike => $at);
    Test::More::unlike($response->{raw_headers}, _regex($unlike), "$at->{name} - raw headers unlike")
        if defined $unlike;
}

# response_headers_like is not looked at where there is response_headers.
sub _check_headers {
    my ($response, $at) = @_;
    my $exact = _expected(response_headers => $at);
    my $like  = defined $at->{block}->response_headers ? undef : _expected(response_headers_like => $at);
    for my $header (_headers(expand_port($exact // $like))) {
        my ($name, $value) = @$header;
        if (!defined $value) {
            Test::More::unlike($response->{raw_headers}, qr/^\s*\Q$name\E\s*:/mi,
                "$at->{name} - header $name absent");
            next;
        }
        my $got = $response->{message}->header($name) // '';
        defined $exact
            ? Test::More::is($got, $value, "$at->{name} - header $name")
            : Test::More::like($got, qr/^$value$/, "$at->{name} - header $name like");
    }
}

# "Name: value" and "!Name" lines as [name, value or undef], the last of a name.
sub _headers {
    my ($text) = @_;
    my (@order, %value);
    for my $line (grep {/\S/} split /\r?\n/, $text // '') {
        my ($name, $value) =
              $line =~ /^\s*!\s*(\S+)/         ? ($1, undef)
            : $line =~ /^\s*(.*?)\s*:\s*(.*?)\s*$/ ? ($1, $2)
            : die qq(bad header line "$line": want "Name: value" or "!Name"\n);
        push @order, $name if !exists $value{$name};
        $value{$name} = $value;
    }
    return map { [ $_, $value{$_} ] } @order;
}

# The first of these sections that the block has is the one that is checked.
sub _check_body {
    my ($response, $at) = @_;
    my $block = $at->{block};
    my $body  = _filtered($response->{body}, $at);
    my $what  = "(repeated req $at->{repeat}, req $at->{request})";

    for my $section (qw(response_body response_body_eval)) {
        next if !defined $block->$section;
        my $expected = expand(expand_port(_expected($section => $at)));
        is_str($body, $expected // '', "$at->{name} - response_body $what");
        return;
    }
    if (defined(my $like = _expected(response_body_like => $at))) {
        Test::More::like($body, _regex(expand_port($like)), "$at->{name} - response_body_like $what");
    }
    elsif (defined(my $unlike = _expected(response_body_unlike => $at))) {
        Test::More::unlike($body, _regex(expand_port($unlike)), "$at->{name} - response_body_unlike $what");
    }
}

sub _filtered {
    my ($body, $at) = @_;
    my $filters = $at->{block}->response_body_filters // return $body;
    my @filters = ref $filters eq 'ARRAY' ? @$filters : ref $filters ? $filters : split ' ', $filters;
    @filters = @{ $filters[ $at->{request} ] // [] } if ref $filters[0] eq 'ARRAY';
    for my $filter (@filters) {
        my $code = ref $filter ? $filter : $BODY_FILTER{$filter} // die "no body filter $filter\n";
        $body = $code->($body);
    }
    return $body;
}

sub _regex { ref $_[0] eq 'Regexp' ? $_[0] : qr/$_[0]/s }

# Compares text; a regex is matched.
sub is_str {
    my ($got, $expected, $name) = @_;
    return Test::More::like($got, $expected, $name) if ref $expected eq 'Regexp';
    return Test::Base::is($got, $expected, $name)   if flag('no_long_string');
    return Test::LongString::is_string($got, $expected, $name);
}

1;
