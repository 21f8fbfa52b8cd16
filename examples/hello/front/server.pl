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

# A few workers share the listening socket. On SIGTERM each finishes what it is doing.
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 1024, ReuseAddr => 1)
    or die "cannot listen on $port: $!\n";
my $stopping = 0;
my %workers;
$SIG{TERM} = sub { $stopping = 1; kill TERM => keys %workers };
print STDERR "$name listens on $port\n";
until ($stopping) {
    while (keys %workers < 8) {
        my $child = fork // die "fork: $!\n";
        if ($child == 0) { work(); exit }
        $workers{$child} = 1;
    }
    my $ended = wait;
    delete $workers{$ended};
}
1 while wait > 0;

sub work {
    $SIG{TERM} = sub { $stopping = 1 };
    $SIG{PIPE} = 'IGNORE';
    until ($stopping) {
        my $client = $server->accept or next;
        # A client that sends nothing must not keep a worker for long.
        eval {
            local $SIG{ALRM} = sub { die "too slow\n" };
            alarm 5;
            answer($client);
            alarm 0;
        };
        alarm 0;
        close $client;
    }
}

sub answer {
    my ($client) = @_;
    my $request = <$client> // return;
    while (my $header = <$client>) { last if $header =~ /^\r?\n$/ }
    my ($status, $body) = route($request);
    print $client "HTTP/1.1 $status\r\nContent-Type: text/plain\r\n"
        . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

sub route {
    my ($request) = @_;
    return ('200 OK', "ok\n") if $request =~ m{^GET /alive };
    return greet() if $request =~ m{^GET /hello };
    return ('404 Not Found', "try /hello\n");
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
