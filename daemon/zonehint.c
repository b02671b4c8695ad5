#include "daemon/zonehint.h"

#include "proto/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 512, NAME_SIZE = 64 };

/* Lines "Z NAME offset..." and "L TARGET NAME" of the compact form of the zone source. */
static const char *zone_of_line(char *line)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save);

	if (!word || word[1] || (*word != 'Z' && *word != 'L'))
		return NULL;
	if (*word == 'L')
		strtok_r(NULL, " \n", &save);
	return strtok_r(NULL, " \n", &save);
}

const char *zonehint_find(const char *name, char *out, size_t size)
{
	const char *folder = secure_getenv("TZDIR"), *zone;
	char path[4096], line[LINE_SIZE], best[NAME_SIZE] = "";

	snprintf(path, sizeof(path), "%s/tzdata.zi", folder ? folder : "/usr/share/zoneinfo");
	FILE *list = fopen(path, "re");

	if (!list)
		return NULL;
	while (fgets(line, sizeof(line), list)) {
		zone = zone_of_line(line);
		if (!zone || strlen(zone) >= sizeof(best))
			continue;
		/* The nearer of the best so far and this one. */
		const char *const pair[] = { *best ? best : zone, zone };
		const char *nearest = name_nearest(name, pair, 2);

		if (nearest == zone)
			snprintf(best, sizeof(best), "%s", zone);
	}
	fclose(list);
	if (!*best)
		return NULL;
	snprintf(out, size, "did you mean '%s'?", best);
	return out;
}
