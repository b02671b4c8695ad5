# try.fish - what fish would offer for each line of the standard input: "= LINE", then an offer a
# line.
#
#	fish --no-config try.fish SCRIPT
source $argv[1]
while read -l line
    echo "= $line"
    set -l start (date +%s%N)
    set -l offers (complete -C"$line")
    set -q TIMES; and echo "fish: '$line' "(math "round(("(date +%s%N)" - $start) / 1000)")" us" >>$TIMES
    printf '%s\n' $offers | string replace -r '\t.*' ''
end
exit 0
