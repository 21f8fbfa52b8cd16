/**
 * The smallest clustered software: one number that all members copy. Its members find each other only
 * through what is rendered for them. For tests; in Perl, as every Debian image has it.
 */
import type { Recipe } from '../../src/recipes/index.ts'

const SERVER = String.raw`use strict; use warnings; use IO::Socket::INET;
$| = 1;
my %c = map { chomp; split /=/, $_, 2 } do { open my $f, '<', '/muster/start' or die $!; <$f> };
my ($history, $n) = ('', 0);
my $file = '/data/state';
sub load { open my $f, '<', $file or die "no data: $!"; my $l = <$f>; chomp $l; ($history, $n) = split / /, $l }
sub save { open my $f, '>', "$file.new" or die $!; print $f "$history $n\n"; close $f; rename "$file.new", $file or die $! }
if ($c{kind} eq 'form') { die "there are data" if -e $file; $history = $c{random}; save() }
elsif ($c{kind} eq 'first') { load() }
else {
  my $got = '';
  for (1 .. 40) {
    for my $peer (split /,/, $c{peers}) {
      my $s = IO::Socket::INET->new(PeerAddr => $peer, PeerPort => 7000, Timeout => 1) or next;
      print $s "get\n"; $got = <$s> // ''; last if $got;
    }
    last if $got; select undef, undef, undef, 0.25;
  }
  die "nobody to join" unless $got; chomp $got; ($history, $n) = split / /, $got; save();
}
print "runs as $c{kind}: $history $n\n";
my $stop = 0; $SIG{TERM} = sub { $stop = 1 };
my $l = IO::Socket::INET->new(LocalPort => 7000, Listen => 10, ReuseAddr => 1) or die $!;
until ($stop) {
  my $s = $l->accept or next;
  my $ask = <$s> // '';
  if ($ask =~ /^inc/) { $n++; save() }
  print $s "$history $n\n"; close $s;
}
open my $f, '>', '/data/clean'; exit 0;
`

const SESSION = String.raw`use IO::Socket::INET; $| = 1;
while (<STDIN>) {
  chomp; my $mark = $_;
  my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 7000, Timeout => 1);
  if ($s) { print $s "get\n"; my $l = <$s>; print "at $l" if $l }
  print "$mark\n";
}
`

const POSITION = /^at (\S+) (\d+)$/m

export const copycat: Recipe = {
  name: 'copycat',
  images: [],
  topology: {
    minimum: 1,
    usual: 2,
    forms: 'one',
    recovers: 'elect',
    writer: false,
    joinsOneByOne: true,
  },
  data: '/data',
  secrets: [],
  options: (given) => given,
  container: () => ({
    entrypoint: ['sh', '-c'],
    command: ['rm -f /data/clean; exec perl /muster/server.pl'],
    env: {},
    user: '0',
    stopGraceMs: 5000,
    stopSignal: null,
  }),
  holdsData: (names) => names.includes('state'),
  recover: {
    command: ['sh', '-c', 'echo "at $(cat /data/state)"; ls /data'],
    timeoutMs: 20_000,
    read: ({ stdout }) => {
      const [, history, sequence] = POSITION.exec(stdout) ?? []
      if (history === undefined || sequence === undefined) {
        return { position: null, clean: false, damaged: 'its state cannot be read' }
      }
      return { position: { history, sequence }, clean: /^clean$/m.test(stdout), damaged: null }
    },
  },
  render: ({ start, peers, self, epoch }) => [
    { path: 'server.pl', content: SERVER },
    { path: 'session.pl', content: SESSION },
    {
      path: 'start',
      content: [
        `kind=${start.kind}`,
        `random=history-of-${self}-${epoch}`,
        `peers=${peers.flatMap(({ address, ready }) => (ready && address ? [address] : [])).join(',')}`,
        '',
      ].join('\n'),
    },
  ],
  session: {
    command: ['perl', '/muster/session.pl'],
    ask: (mark) => `${mark}\n`,
    read: (answer) => {
      const [, history, sequence] = POSITION.exec(answer) ?? []
      const here = history !== undefined && sequence !== undefined
      return {
        status: {
          role: here ? 'ready' : 'outside',
          size: here ? 1 : 0,
          component: here ? history : null,
          leads: null,
        },
        position: here ? { history, sequence } : null,
        causal: here,
        stuck: null,
        doing: null,
      }
    },
    everyMs: 300,
    timeoutMs: 1000,
  },
  verbs: {},
  ports: [{ port: 7000, to: 'any' }],
}
