# Prometheus' text format, read strictly: what a scraper would refuse dies here.
package HotLua::Metrics;
use strict;
use warnings;

use Carp qw(croak);

my $NAME = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
my $VALUE = qr/[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf)|NaN/;

# ({NAME => {type, help}}, {NAME{LABELS} => value}) of a text.
sub parse {
    my ($text) = @_;
    croak "the last line does not end: $text" if $text !~ /\n\z/;
    my (%family, %sample, $current);
    for my $line (split /\n/, $text, -1) {
        last if $line eq '';
        if ($line =~ /\A# HELP ($NAME) (\S.*)\z/) {
            croak "told twice: $1" if $family{$1};
            ($current, $family{$1}) = ($1, { help => $2 });
        } elsif ($line =~ /\A# TYPE ($NAME) (counter|gauge)\z/) {
            croak "TYPE without HELP: $line" if ($current // '') ne $1 || $family{$1}{type};
            $family{$1}{type} = $2;
            croak "a counter's name ends in _total, no other's: $1" if ($2 eq 'counter') != ($1 =~ /_total\z/);
        } elsif ($line =~ /\A($NAME)((?:\{$LABEL(?:,$LABEL)*\})?) ($VALUE)\z/) {
            croak "not below its TYPE: $line" if ($current // '') ne $1 || !$family{$1}{type};
            croak "twice: $1$2" if exists $sample{"$1$2"};
            $sample{"$1$2"} = $3;
            $family{$1}{samples}++;
        } else {
            croak "no comment and no sample: $line";
        }
    }
    croak 'an empty line is not the last' if $text =~ /\n\n/;
    for my $name (sort keys %family) {
        croak "without samples: $name" if !$family{$name}{samples};
    }
    return (\%family, \%sample);
}

1;
