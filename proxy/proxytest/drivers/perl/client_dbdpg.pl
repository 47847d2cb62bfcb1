#!/usr/bin/env perl
# DBD::Pg: statements of its own naming, a ping that is nothing but a comment,
# COPY by lines, savepoints.
#
# Prints one line for each check: ok NAME MILLISECONDS, FAIL NAME reason,
# skip NAME reason.
use strict;
use warnings;
use DBI;
use DBD::Pg qw(:pg_types :async);
use Time::HiRes qw(time alarm);
use utf8;
binmode STDOUT, ':utf8';
$| = 1;

my %e = map { $_ => $ENV{$_} // '' } grep { /^LK_/ } keys %ENV;
my $governed = ($e{LK_GOVERNED} // '') eq '1';
my $refusal = $governed ? 'forbidden is closed here' : 'permission denied';
my $unreadable = $governed ? '42501' : '42601';    # what cannot be parsed meets every deny rule it might fall under
my ($limit, $slack) = (2.0, 3.0);    # seconds: what the slow user gets, and what a busy machine may add
my $large_sql = "repeat('abcdefgh', 8388608)";

sub dbh {
    my ($user, %more) = @_;
    my $dsn = "dbi:Pg:host=$e{LK_HOST};port=$e{LK_PORT};dbname=$e{LK_DB};sslmode=$e{LK_SSLMODE}";
    $dsn .= ";sslrootcert=$e{LK_CA}" if $e{LK_CA};
    return DBI->connect($dsn, $user // $e{LK_USER}, $e{LK_PASSWORD},
        { RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1, %more });
}

sub expect {
    my ($got, $want, $what) = @_;
    my ($g, $w) = map { defined ? $_ : 'undef' } $got, $want;
    return if $g eq $w;
    die sprintf("%s: got %.200s, want %.200s\n", $what // 'value', $g, $w);
}

# raises(SQLSTATE, text, handle, act)
sub raises {
    my ($code, $text, $dbh, $act) = @_;
    my $ok = eval { $act->(); 1 };
    my $err = $@;
    die "no error, want $code\n" if $ok;
    my $state = $dbh->state // '';
    die "SQLSTATE $state, want $code: $err" if $state ne $code;
    die "$code without '$text': $err" if defined $text && index($err, $text) < 0;
}

sub lasts {
    my ($want, $act) = @_;
    my $start = time;
    $act->();
    my $took = time - $start;
    die sprintf("took %.2f s, want %.1f s\n", $took, $want) if $took < $want - 0.1 || $took > $want + $slack;
}

sub one { my ($dbh, $sql, @args) = @_; return ($dbh->selectrow_array($sql, undef, @args))[0] }
sub alive { expect(one($_[0], 'select 40 + ?::int', 2), 42, 'next query') }

sub failing_tx {
    my ($sql, $code, $text, $user) = @_;
    my $dbh = dbh($user);
    $dbh->begin_work;
    $dbh->do('insert into scratch values (1)');
    raises($code, $text, $dbh, sub { $dbh->do($sql, undef, 1) });
    raises('25P02', undef, $dbh, sub { $dbh->do('select 1') });
    $dbh->rollback;
    expect(one($dbh, 'select count(*) from scratch'), 0, 'rows after rollback');
    $dbh->begin_work;
    $dbh->do('insert into scratch values (1)');
    $dbh->pg_savepoint('here');
    raises($code, $text, $dbh, sub { $dbh->do($sql, undef, 1) });
    $dbh->pg_rollback_to('here');
    $dbh->do('insert into scratch values (2)');
    $dbh->commit;
    expect($dbh->do('delete from scratch'), 2, 'rows after commit');
    $dbh->disconnect;
}

my %check = (
    connect => sub {
        my $dbh = dbh();
        expect(one($dbh, 'select pg_backend_pid()'), $dbh->{pg_pid}, 'backend pid');
        expect($dbh->ping > 0, 1, 'ping');
        $dbh->disconnect;
    },
    query => sub {
        my $dbh = dbh();
        my $rows = $dbh->selectall_arrayref("select i, 'row ' || i from generate_series(1, 1000) i");
        expect("$rows->[999][0] $rows->[999][1]", '1000 row 1000');
        my $notice = '';
        local $SIG{__WARN__} = sub { $notice .= $_[0] };
        $dbh->{PrintWarn} = 1;
        $dbh->do(q{drop table if exists nothing_here});
        expect($notice =~ /does not exist, skipping/ ? 1 : 0, 1, 'notice');
        alive($dbh);
    },
    bind_types => sub {
        my $dbh = dbh();
        my @kinds = qw(int4 int8 numeric float8 bool text bytea date time timestamp interval uuid int4[] text[] jsonb text);
        my @values = (
            1, '1099511627776', '123.4500', 1.5, 1, "ünï'\\ \"x\" \x{4e16}", "\x00\x01\xff", '2024-02-29', '01:02:03',
            '2024-02-29 01:02:03.000004', '3 days 00:00:05', '00000000-0000-0000-0000-000000000007', [1, 2, 3],
            ['a', 'b"c', undef], '{"a": [1, null]}', undef,
        );
        my $sth = $dbh->prepare('select ' . join(', ', map {"?::$_"} @kinds));
        for my $i (0 .. $#values) {
            $sth->bind_param($i + 1, $values[$i], $kinds[$i] eq 'bytea' ? { pg_type => PG_BYTEA } : ());
        }
        $sth->execute;
        my @got = $sth->fetchrow_array;
        for my $i (0 .. $#values) {
            my ($g, $w) = map { ref ? join('|', map { $_ // 'undef' } @$_) : $_ } $got[$i], $values[$i];
            expect($g, $w, $kinds[$i]);
        }
    },
    prepared_many => sub {
        my $dbh = dbh();
        my $sth = $dbh->prepare('select ?::int * 2');
        for my $i (1 .. 500) { $sth->execute($i); expect($sth->fetchrow_arrayref->[0], $i * 2); $sth->finish }
        my @kept = map { $dbh->prepare("select $_ + ?::int") } 1 .. 50;
        for my $sth (@kept) { for (1 .. 3) { $sth->execute(1); $sth->finish } }    # named from the second on
        expect(one($dbh, 'select count(*) > 40 from pg_prepared_statements'), 1);
    },
    copy_in => sub {
        my $dbh = dbh();
        $dbh->begin_work;
        $dbh->do('copy scratch from stdin');
        $dbh->pg_putcopydata("$_\tline $_\n") for 1 .. 20000;
        $dbh->pg_putcopyend;
        expect(one($dbh, 'select count(*) from scratch'), 20000);
        $dbh->rollback;
    },
    copy_out => sub {
        my $dbh = dbh();
        $dbh->do("copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout");
        my ($lines, $line) = (0, '');
        $lines++ while $dbh->pg_getcopydata(\$line) >= 0;
        expect($lines, 50000, 'lines');
        raises('42501', $refusal, $dbh, sub { $dbh->do('copy forbidden to stdout') });
        alive($dbh);
    },
    copy_fail => sub {
        my $dbh = dbh();
        $dbh->do('copy scratch from stdin');
        $dbh->pg_putcopydata("x\ty\n");
        raises('22P02', undef, $dbh, sub { $dbh->pg_putcopyend });
        alive($dbh);
        expect(one($dbh, 'select count(*) from scratch'), 0);
    },
    server_cursor => sub {
        my $dbh = dbh();
        $dbh->begin_work;
        $dbh->do('declare named cursor for select generate_series(1, 10000)');
        my $sum = 0;
        while (1) {
            my $rows = $dbh->selectcol_arrayref('fetch forward 100 from named');
            last unless @$rows;
            $sum += $_ for @$rows;
        }
        expect($sum, 50005000);
        $dbh->do('close named');
        $dbh->commit;
    },
    notify => sub {
        my ($dbh, $other) = (dbh(), dbh());
        $dbh->do('listen matrix_news');
        $other->do("notify matrix_news, 'read all about it'");
        my $note;
        for (1 .. 100) { last if $note = $dbh->pg_notifies; select undef, undef, undef, 0.05 }
        expect("$note->[1] $note->[2]", "$other->{pg_pid} read all about it");
    },
    cancel => sub {
        my $dbh = dbh();
        lasts(0.3, sub {
            $dbh->do('select pg_sleep(30)', { pg_async => PG_ASYNC });
            select undef, undef, undef, 0.3;
            expect($dbh->pg_cancel ? 1 : 0, 1, 'cancelled');
        });
        alive($dbh);
    },
    error => sub {
        my $dbh = dbh();
        raises('42P01', undef, $dbh, sub { $dbh->do('select * from no_such_table where i = ?', undef, 1) });
        raises($unreadable, undef, $dbh, sub { $dbh->do('selec 1') });
        alive($dbh);
    },
    error_in_tx => sub { failing_tx('select * from no_such_table where i = ?', '42P01') },
    refuse => sub {
        my $dbh = dbh();
        raises('42501', $refusal, $dbh, sub { $dbh->do('select * from forbidden') });
        my $sth = $dbh->prepare('select * from forbidden where i = ?::int');
        raises('42501', $refusal, $dbh, sub { $sth->execute(1) }) for 1 .. 2;
        alive($dbh);
    },
    refuse_in_tx => sub { failing_tx('select * from forbidden where i = ?::int', '42501', $refusal) },
    timeout => sub {
        my $dbh = dbh($e{LK_SLOW_USER});
        lasts($limit, sub { raises('57014', 'statement timeout', $dbh, sub { $dbh->do('select pg_sleep(30)') }) });
        alive($dbh);
    },
    timeout_in_tx => sub {
        lasts(2 * $limit, sub { failing_tx('select pg_sleep(30 * ?::int)', '57014', 'statement timeout', $e{LK_SLOW_USER}) });
    },
    large_result => sub {
        my $dbh = dbh();
        expect(one($dbh, "select $large_sql") eq 'abcdefgh' x 8388608, 1, '64 MiB the same');
        alive($dbh);
    },
    large_bind => sub {
        my $dbh = dbh();
        my $sth = $dbh->prepare("select ?::text = $large_sql");
        $sth->execute('abcdefgh' x 8388608);
        expect($sth->fetchrow_arrayref->[0], 1, '64 MiB the same');
        alive($dbh);
    },
    oversize_text => sub {
        my $dbh = dbh();
        my $sql = 'select 1 /* ' . 'x' x (17 << 20) . ' */';
        if ($governed) { raises('54000', undef, $dbh, sub { $dbh->do($sql) }) }
        else           { $dbh->do($sql) }
        alive($dbh);
    },
    kill_reconnect => sub {
        my $dbh = dbh();
        system('psql', '-XqAto', '/dev/null', $e{LK_KILL}, '-c', "select pg_terminate_backend($dbh->{pg_pid}, 5000)");
        expect($dbh->ping > 0 ? 1 : 0, 0, 'ping of a dead connection');
        my $ok = eval { $dbh->do('select 1'); 1 };
        expect($ok, undef, 'query on a dead connection');
        alive($dbh->clone);
    },
);

my %wanted = map { $_ => 1 } split /,/, $ENV{LK_CHECKS} // '';
my $failed = 0;
for my $name (qw(connect query bind_types prepared_many copy_in copy_out copy_fail server_cursor pipeline notify
    cancel error error_in_tx refuse refuse_in_tx timeout timeout_in_tx large_result large_bind oversize_text
    kill_reconnect)) {
    next if %wanted && !$wanted{$name};
    if (!$check{$name}) { print "skip $name the driver has none\n"; next }
    my $start = time;
    if (eval { local $SIG{ALRM} = sub { die "not done after 60 s\n" }; alarm 60; $check{$name}->(); alarm 0; 1 }) {
        printf "ok %s %d\n", $name, (time - $start) * 1000;
        next;
    }
    (my $why = $@) =~ s/\s+/ /g;
    alarm 0;
    print "FAIL $name ", substr($why, 0, 400), "\n";
    $failed = 1;
}
exit $failed;
