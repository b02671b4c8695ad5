/* migrations.h - the SQL files of this folder, embedded at build; file n brings schema n-1 to n. */
#ifndef CHIME_SCHEMA_MIGRATIONS_H
#define CHIME_SCHEMA_MIGRATIONS_H

extern const char *const schema_migrations[];
extern const int schema_migration_count;

#endif
