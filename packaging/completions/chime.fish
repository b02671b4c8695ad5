# fish completion for chime(1), as `chime completion fish` prints it.
#
# Reads the table below and a file of names that `chime ls` has left; asks no server and starts no
# program.

# KIND|COMMAND|OPTION|VALUE|TEXT
function __chime_table
    echo '@TABLE@'
end

# Names that begin with $argv[2]; NAME@SERVER, or with $argv[1] = server the servers.
function __chime_names
    set -l cache $HOME/.cache
    set -q XDG_CACHE_HOME[1]; and test -n "$XDG_CACHE_HOME"; and set cache $XDG_CACHE_HOME
    set -l newest
    set -l newest_time 0
    for file in /run/chime/names $cache/chime/names.*
        test -f $file -a -r $file; or continue
        set -l time (path mtime -- $file)
        if test $time -ge $newest_time
            set newest $file
            set newest_time $time
        end
    end
    set -q newest[1]; or return
    set -l begin (string escape --style=regex -- $argv[2])
    if test $argv[1] = server
        string replace -rf -- "^@($begin.*)" '$1' <$newest
    else if test -n "$argv[2]"
        string match -r -- "^$begin.*" <$newest
    else
        string match -r -- '^[^@].*' <$newest
    end
end

# What may stand for a VALUE of the table ($argv[1]) and begins with $argv[2]; $argv[3] stands
# before it in the word.
function __chime_offer
    set -l value (string split -m 1 ' ' -- $argv[1])
    set -l before $argv[3]
    # A server may be told by the path of its socket.
    test "$value[1]" = server; and string match -qr -- '^[./]' $argv[2]; and set value file
    switch "$value[1]"
        case target server
            for name in (__chime_names $value[1] $argv[2])
                echo $before$name
            end
        case file
            for path in (__fish_complete_path $argv[2])
                echo $before$path
            end
        case dir
            for path in (__fish_complete_directories $argv[2] Folder)
                echo $before$path
            end
        case zone
            for path in /usr/share/zoneinfo/$argv[2]*
                set -l zone (string replace /usr/share/zoneinfo/ '' -- $path)
                test -d $path; and set zone $zone/
                echo $before$zone
            end
        case word
            for word in (string split ' ' -- $value[2])
                echo $before$word
            end
        case list
            set -l head (string match -r -- '^.*,' $argv[2])
            set -q head[1]; or set head ''
            for word in (string split ' ' -- $value[2])
                echo $before$head$word
            end
    end
end

# The VALUE of an option ($argv[2]) of a command ($argv[1]), "" without one.
function __chime_value
    set -l any
    for row in (__chime_table)
        set -l part (string split '|' -- $row)
        test $part[1] = option; and test "$part[3]" = $argv[2]; or continue
        contains -- $part[2] "$argv[1]" '*'; and echo $part[4]; and return
        set any $part[4]
    end
    echo $any
end

function __chime_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    set -l pending
    set -l ended
    set -l place
    for word in $words[2..-1]
        if set -q pending[1]
            set -e pending[1]
        else if set -q ended[1]; or not string match -q -- '-?*' $word
            set -a place $word
        else if test "$word" = --
            set ended 1
        else
            set -l option $word
            string match -q -- '--*' $word; or set option -(string sub -s -1 -- $word)
            string match -q -- '*=*' $word; and continue
            test -n (__chime_value '' $option)""; and set pending $option
        end
    end
    set -l command
    set -l operand
    for row in (__chime_table)
        set -l part (string split '|' -- $row)
        test $part[1] = command; or continue
        if test "$part[2]" = "$place[1..2]"; or test "$part[2]" = "$place[1]"
            set command $part[2]
            set operand $part[4]
        end
    end

    if set -q pending[1]
        __chime_offer (__chime_value "$command" $pending) "$current" ''
    else if not set -q ended[1]; and string match -q -- '--*=*' $current
        set -l part (string split -m 1 = -- $current)
        __chime_offer (__chime_value "$command" $part[1]) "$part[2]" $part[1]=
    else if not set -q ended[1]; and string match -q -- '-*' $current
        for row in (__chime_table)
            set -l part (string split '|' -- $row)
            test $part[1] = option; or continue
            contains -- $part[2] "$command" '*'; and printf '%s\t%s\n' $part[3] $part[5]
        end
    else if set -q command[1]
        __chime_offer $operand "$current" ''
    else if not set -q place[2]
        set -l head (string join '' -- $place ' ')
        set -q place[1]; or set head ''
        for row in (__chime_table)
            set -l part (string split '|' -- $row)
            test $part[1] = command; or continue
            string match -q -- "$head*" $part[2]; or continue
            set -l word (string sub -s (math 1 + (string length -- "$head")) -- $part[2])
            set -l first (string split ' ' -- $word)
            if set -q first[2]
                printf '%s\t%s ...\n' $first[1] $first[1]
            else
                printf '%s\t%s\n' $word $part[5]
            end
        end | string match -v -r '^$'
    end
end

complete -c chime -f -a '(__chime_complete)'
