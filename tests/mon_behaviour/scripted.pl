#!/usr/bin/perl
# Notes how it is called. As a monitor it waits for what to say then, and with which exit status.
use strict;
use warnings;

my ($here, $kind) = $0 =~ m{^(.*)/(mon|alert)\.d/[^/]+$} or die "where is this: $0\n";
my $input = '';
if ($kind eq 'alert') {
    local $/;
    $input = <STDIN> // '';
}
my @environment = map { "$_=$ENV{$_}" } grep { /^(?:MON|SHOP)_/ } sort keys %ENV;
my @fields = ($0, scalar @ARGV, @ARGV, scalar @environment, @environment, $input);

# Whole or not at all: somebody is looking.
my $name = join '.', time, $$;
open my $note, '>', "$here/notes/.$name" or die "$name: $!\n";
print $note map { "$_\0" } @fields;
close $note or die "$name: $!\n";
rename "$here/notes/.$name", "$here/notes/$name" or die "$name: $!\n";
exit 0 if $kind eq 'alert';

my $said = "$here/say/$ENV{MON_GROUP}.$ENV{MON_SERVICE}";
until (rename $said, "$said.taken") {
    # The case is over.
    exit 0 unless -d "$here/say";
    select undef, undef, undef, 0.05;
}
open my $words, '<', "$said.taken" or die "$said: $!\n";
chomp(my $exit = <$words>);
$| = 1;
print <$words>;
kill 'KILL', $$ if $exit eq 'killed';
exit $exit;
