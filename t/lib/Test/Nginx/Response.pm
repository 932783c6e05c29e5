# Cuts one HTTP response off the front of what a connection received.
#
#   { code, message (an HTTP::Response), raw_headers, body, warning }
package Test::Nginx::Response;

use strict;
use warnings;

use Exporter 'import';
use HTTP::Response;

our @EXPORT_OK = qw(take_response);

# Takes the response to a $method request from $$bytes; undef where more is to
# come. With $eof set nothing more comes, and what is there is the response.
sub take_response {
    my ($bytes, $method, $eof) = @_;
    if ($$bytes !~ /\r?\n\r?\n/) {
        return undef if !$eof;
        my $raw = $$bytes;
        $$bytes = '';
        return _response($raw, '');
    }
    my $raw = substr $$bytes, 0, $+[0];
    my $response = _response($raw, '');
    my $code     = $response->{code};

    # 100 and 101 have no length: what follows them, to the end, is their body.
    my $from = length $raw;
    my ($body, $next, $warning) =
          $method eq 'HEAD' || $code eq '204' || $code eq '304' ? ('', $from)
        : _is_chunked($response) ? _chunked($bytes, $from)
        :                          _sized($bytes, $from, $response->{message}->header('Content-Length'));
    if (!defined $next) {
        return undef if !$eof;
        $body //= substr $$bytes, $from;
        $next = length $$bytes;
        $response->{warning} = $warning;
    }
    elsif ($warning) {
        $response->{warning} = $warning;
    }
    $response->{body} = $body;
    substr($$bytes, 0, $next) = '';
    return $response;
}

sub _response {
    my ($raw, $body) = @_;
    $raw =~ s/\r?\n\r?\n\z/\r\n/;
    my $message = HTTP::Response->parse($raw);
    return { code => $raw =~ m{^HTTP/\S+\s+(\d+)} ? $1 : '',
        message => $message, raw_headers => $raw, body => $body };
}

sub _is_chunked {
    my ($response) = @_;
    return ($response->{message}->header('Transfer-Encoding') // '') =~ /\bchunked\b/i;
}

# These return the body and where the next response begins; no place means that
# the body is not all there yet, and the warning says so should nothing follow.
sub _sized {
    my ($bytes, $from, $length) = @_;
    my $got = length($$bytes) - $from;
    return (substr($$bytes, $from), undef, undef) if ($length // '') !~ /^\d+$/;
    return (substr($$bytes, $from, $length), $from + $length) if $got >= $length;
    return (substr($$bytes, $from), undef, "response body truncated: $length expected, got $got");
}

sub _chunked {
    my ($bytes, $from) = @_;
    my $body = '';
    pos($$bytes) = $from;
    while ($$bytes =~ /\G([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r\n/gc) {
        my $size = hex $1;
        my $at   = pos $$bytes;
        if ($size == 0) {
            # Trailers, if any, end with an empty line.
            $$bytes =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc or return ($body, undef, 'last chunk not ended');
            return ($body, pos $$bytes);
        }
        my $there = length($$bytes) - $at;
        $body .= substr $$bytes, $at, $size;
        return ($body, undef, "chunk truncated: $size expected, got $there") if $there < $size + 2;
        pos($$bytes) = $at + $size;
        $$bytes =~ /\G\r\n/gc
            or return ($body, length $$bytes, 'chunk longer than its size');
    }
    my $rest = substr $$bytes, pos($$bytes) // $from;
    # A chunk size that may still be arriving.
    return ($body, undef, 'no last chunk') if $rest =~ /^[0-9A-Fa-f]*[ \t]*(?:;[^\r\n]*)?\r?$/;
    return ($body, length $$bytes, 'bad chunk size');
}

1;
