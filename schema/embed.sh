#!/bin/sh
# Prints the migrations given as arguments, in order, as C text: embed.sh 001-a.sql 002-b.sql
set -eu
echo '#include "schema/migrations.h"'
echo 'const char *const schema_migrations[] = {'
for file in "$@"; do
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$/\\n"/' "$file"
	echo '	,'
done
echo '};'
echo "const int schema_migration_count = $#;"
