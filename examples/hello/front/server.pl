#!/usr/bin/perl
# The front of the hello example: GET /hello asks any app to greet it and passes the answer on.
# It knows the apps by one name; which of them answers is Muster's business.
# With --check it asks itself, for the health check.
use strict;
use warnings;
use IO::Socket::INET;

my $port = 8080;
my $name = $ENV{NAME} // 'front';
my $app = $ENV{APP} // 'app:8080';

if (($ARGV[0] // '') eq '--check') {
    my $self = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 1) or die "not listening\n";
    print $self "GET /alive HTTP/1.0\r\n\r\n";
    my $status = <$self> // '';
    exit($status =~ / 200 / ? 0 : 1);
}

my $stopping = 0;
local $SIG{TERM} = sub { $stopping = 1 };
local $SIG{CHLD} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "cannot listen on $port: $!\n";
print STDERR "$name listens on $port\n";

until ($stopping) {
    my $client = $server->accept or next;
    my $child = fork // die "fork: $!\n";
    next if $child;
    local $SIG{ALRM} = sub { exit 1 };
    alarm 10;
    my $request = <$client> // exit;
    while (my $header = <$client>) { last if $header =~ /^\r?\n$/ }
    my ($status, $body) = ('404 Not Found', "try /hello\n");
    ($status, $body) = ('200 OK', "ok\n") if $request =~ m{^GET /alive };
    ($status, $body) = greet() if $request =~ m{^GET /hello };
    print $client "HTTP/1.1 $status\r\nContent-Type: text/plain\r\n"
        . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body";
    exit;
}

sub greet {
    my $peer = IO::Socket::INET->new(PeerAddr => $app, Timeout => 2)
        or return ('502 Bad Gateway', "$name cannot reach $app: $@\n");
    print $peer "GET /hello/$name HTTP/1.0\r\n\r\n";
    my $status = <$peer> // '';
    while (my $header = <$peer>) { last if $header =~ /^\r?\n$/ }
    my $body = do { local $/; <$peer> } // '';
    return $status =~ / 200 / ? ('200 OK', $body) : ('502 Bad Gateway', "$app answered badly\n");
}
