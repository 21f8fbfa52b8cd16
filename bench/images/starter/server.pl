#!/usr/bin/perl
# Answers every request with the moment at which it began to listen (ms since 1970) and its host
# name. LISTEN_AFTER_MS=MIN-MAX: it begins only so long after its start, as most software does.
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

local $SIG{TERM} = sub { exit 0 };
local $SIG{CHLD} = 'IGNORE';
my ($min, $max) = split /-/, $ENV{LISTEN_AFTER_MS} // '0-0';
sleep(($min + rand($max - $min)) / 1000) if $max > 0;

my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 128, ReuseAddr => 1)
    or die "cannot listen: $!\n";
my $body = sprintf "%.1f %s\n", time * 1000, $ENV{HOSTNAME};
my $answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body";

while (1) {
    my $client = $server->accept or next;
    my $child = fork // die "fork: $!\n";
    next if $child;
    alarm 10;
    while (my $header = <$client>) { last if $header =~ /^\r?\n$/ }
    print $client $answer;
    exit;
}
