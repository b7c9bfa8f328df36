# ldirectord's own reader: for each file named on standard input what it makes of it, up to a line
# of three dashes. Its main part, which would become a daemon, is left out.
use strict;
$ENV{PERLIO} = "perlio";
$| = 1;
my $source = do { local (@ARGV, $/) = "/usr/sbin/ldirectord"; <> };
$source =~ s/^\$DAEMON_STATUS = \$DAEMON_STATUS_STARTING;\nld_init\(\);.*?^# functions$/answer();/ms
    or die "ldirectord is not as it was";
$source .= <<'END';
sub answer
{
    no warnings;
    *main::ld_log = sub { };
    # What goes wrong at a reload is an exception, and an exit otherwise.
    $DAEMON_STATUS = $DAEMON_STATUS_RUNNING;
    ($CFGNAME, $HOSTNAME) = ("oracle", "host");
    while (my $path = <STDIN>) {
        chomp($CONFIG = $path);
        local $_;
        if (eval { read_config(); ld_setup(); 1 }) { print describe($_) for @VIRTUAL }
        else { print "refused\n" }
        print "---\n";
    }
}

sub describe
{
    my ($v) = @_;
    my $id = get_virtual_id_str($v);
    my $yes = sub { (defined $_[0] ? $_[0] : $_[1]) eq "yes" ? "yes" : "no" };
    my $fallback = fallback_find($v);
    # A mark has no use for one of the head (F14).
    $fallback = undef if $fallback and not defined $fallback->{server};
    # Without masq the kernel keeps the port.
    my %fallback = $fallback ? %$fallback : ();
    $fallback{port} = $v->{port} if $v->{protocol} ne "fwm" and ($fallback{forward} || "") ne "masq";
    # Names of flags, of either scheduler, as their bits; the mask of a single client is none.
    my $flags = 0;
    for (split /,/, $v->{schedflags} || "") {
        $flags |= 1 if /-fallback$|^flag-1$/;
        $flags |= 2 if /-port$|^flag-2$/;
        $flags |= 4 if /^flag-3$/;
    }
    my $mask = $v->{persistent} && $v->{netmask} || "-";
    $mask = "-" if $mask eq "255.255.255.255" or $mask eq "128";
    my @words = ("virtual", $id, $v->{scheduler}, "persistent", $v->{persistent} || 0,
        $mask, "flags", $flags,
        "ops", $v->{protocol} eq "udp" ? $v->{ops} : "no",
        "quiescent", $yes->($v->{quiescent}, $QUIESCENT),
        "cleanstop", $yes->($v->{cleanstop}, $CLEANSTOP), "fallback",
        $fallback ? "$fallback{server}:$fallback{port} $fallback{forward}" : "-");
    my $text = "@words\n";
    for my $r (@{$v->{real}}) {
        my @real = ("real", "$r->{server}:$r->{port}", $r->{forward}, $r->{weight},
            $r->{"l-threshold"} || 0, $r->{"u-threshold"} || 0, "check", check($v, $r),
            "failures", $v->{failurecount}, monitor($v, $r));
        $text .= "@real\n";
    }
    return $text;
}

# What its monitor file calls the check.
sub monitor
{
    my ($v, $r) = @_;
    return () unless $v->{monitorfile};
    my $name = get_real_id_str($r, $v);
    $name =~ tr/:/ /s;
    $name =~ s/\\//g;
    return ("called", "<$name>");
}

# What is asked of a server, in our words, at which port, for how many seconds.
sub check
{
    my ($v, $r) = @_;
    my ($type, $service) = ($v->{checktype}, $v->{service});
    return $type if $type eq "on" or $type eq "off";
    return "ping" if $type eq "ping" or $type eq "connect" and $v->{protocol} eq "udp";
    return "external for $v->{checktimeout}" if $type =~ /^external/;
    my $at = "at " . ld_checkport($v, $r);
    # A server's own URL may lead elsewhere.
    $at = "at " . URI->new($r->{url})->port if $service =~ /^https?$/ and $type eq "negotiate";
    return "connect $at for $v->{checktimeout}" if $type eq "connect";
    return "on" if $service eq "none";
    my $name = {http_proxy => "http", simpletcp => "tcp", submission => "smtp"}->{$service};
    my $time = $service =~ /^(ldaps?|radius)$/ ? $v->{checktimeout} : $v->{negotiatetimeout};
    my $then = $type eq "combined" && $v->{num_connects} > 0
        ? " then $v->{num_connects} for $v->{checktimeout}" : "";
    return ($name || $service) . " $at for $time$then";
}
END
eval $source;
die $@ if $@;
