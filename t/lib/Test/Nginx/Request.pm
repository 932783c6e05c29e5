# Turns a block's request sections into connections: what to send over each, in
# which packets, and how many responses to expect back.
#
#   { packets => [ { value => bytes, delay => seconds }, ... ],
#     methods => [ 'GET', ... ],      one a response
#     closes  => 1 }                  the last request asks nginx to close
package Test::Nginx::Request;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(connections);

sub connections {
    my ($block) = @_;
    return _raw($block)       if defined $block->raw_request;
    return _pipelined($block) if defined $block->pipelined_requests;

    my $section = $block->request // $block->request_eval // die "no --- request\n";
    my @specs = ref $section eq 'ARRAY' ? @$section : ($section);
    my $delay = _delay($block);
    return map { _connection($specs[$_], _more_headers($block, $_), $delay) } 0 .. $#specs;
}

# An array is one request in several packets, an array of arrays several requests.
sub _raw {
    my ($block) = @_;
    my $raw  = $block->raw_request;
    my @all  = ref $raw && ref $raw->[0] eq 'ARRAY' ? @$raw : ($raw);
    my $delay = _delay($block);
    return map {
        my @packets = _packets($_, $delay);
        my ($method) = $packets[0]{value} =~ /^(\S+)/;
        { packets => \@packets, methods => [ $method // '' ],
          closes => _asks_to_close(join '', map { $_->{value} } @packets) }
    } @all;
}

sub _pipelined {
    my ($block) = @_;
    my $specs = $block->pipelined_requests;
    ref $specs eq 'ARRAY' && @$specs or die "--- pipelined_requests must be an array\n";
    my ($bytes, @methods) = ('');
    for my $i (0 .. $#$specs) {
        my $type = $i == $#$specs ? 'close' : 'keep-alive';
        my ($method, @packets) = _request($specs->[$i], _more_headers($block, $i), $type, 0);
        push @methods, $method;
        $bytes .= join '', map { $_->{value} } @packets;
    }
    return { packets => [ { value => $bytes, delay => 0 } ], methods => \@methods, closes => 1 };
}

sub _connection {
    my ($spec, $more, $delay) = @_;
    my ($method, @packets) = _request($spec, $more, 'close', $delay);
    return { packets => \@packets, methods => [$method],
        closes => _asks_to_close($packets[0]{value}) };
}

# Returns the method and the packets. The head goes in the first packet.
sub _request {
    my ($spec, $more, $type, $delay) = @_;
    my @packets = _packets($spec, $delay);
    my $first   = $packets[0]{value};

    $first =~ s/\A(?:\s*#[^\n]*\n)+//;
    $first =~ s/\A[ \t]*([A-Za-z]\S*)(?:[ \t]+(\S+)(?:[ \t]+(\S+))?)?[ \t\r]*(?:\n|\z)//
        or die qq(request line must be "METHOD [url [version]]": $first\n);
    my ($method, $url, $version) = ($1, $2 // '/', $3 // 'HTTP/1.1');
    $packets[0]{value} = $first;

    # Names given in more_headers replace ours, but for Content-Length: a test
    # that sends its own means to send two.
    my @headers = map { [ split /:[ \t]*/, $_, 2 ] } grep {/\S/} split /\r?\n/, $more // '';
    my %given = map { lc $_->[0] => $_->[1] // '' } @headers;
    unshift @headers, [ Connection => $type ]      if !exists $given{connection};
    unshift @headers, [ Host       => 'localhost' ] if !exists $given{host};

    # The blank line before the next section is not part of the body; in a
    # chunked body every byte is.
    if (lc($given{'transfer-encoding'} // '') !~ /chunked/) {
        $packets[-1]{value} =~ s/\s+\z//;
        my $length = 0;
        $length += length $_->{value} for @packets;
        push @headers, [ 'Content-Length' => $length ] if $length;
    }
    my $head = "$method $url $version\r\n"
        . join('', map { "$_->[0]: " . ($_->[1] // '') . "\r\n" } @headers) . "\r\n";
    $packets[0]{value} = $head . $packets[0]{value};
    return ($method, @packets);
}

sub _packets {
    my ($spec, $delay) = @_;
    my @specs = ref $spec eq 'ARRAY' ? @$spec : ($spec);
    my @packets = map {
        ref $_ ? { value => $_->{value} // '', delay => $_->{delay_before} // $delay }
               : { value => $_, delay => $delay }
    } @specs;
    $packets[0]{delay} = ref $specs[0] ? $specs[0]{delay_before} // 0 : 0;
    return @packets;
}

sub _asks_to_close { $_[0] =~ /^Connection:[ \t]*close\s*$/mi ? 1 : 0 }

# Between packets, so that they are not read as one.
sub _delay {
    my ($block) = @_;
    return $block->raw_request_middle_delay // $ENV{TEST_NGINX_SLEEP} // 0.015;
}

sub _more_headers {
    my ($block, $i) = @_;
    my $more = $block->more_headers;
    return $more if ref $more ne 'ARRAY';
    return $more->[$i] // die "--- more_headers has no element for request $i\n";
}

1;
