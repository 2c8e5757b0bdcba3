/* A hello for people: one screen, a line for each thing that a client says of itself. Long lists are
 * counted and shown as far as there is room; hello_json has all of them. */
#include <stdarg.h>
#include <string.h>

#include "gauntlet/hello.h"

enum {
  COLUMNS = 98,
  LABEL = 17,        /* columns of a label, with the blanks around it */
  SUITES_SHOWN = 10, /* two a line */
  NAMES_SHOWN = 12,
  EXTENSIONS_SHOWN = 16,
};

/* Words that are parted by commas and wrapped behind a label. */
struct facts_line {
  FILE *out;
  size_t column;
  bool begun; /* a word stands on it */
};

static struct facts_line begin_facts(FILE *out, const char *label)
{
  fprintf(out, "  %-*s", LABEL - 2, label);
  return (struct facts_line){.out = out, .column = LABEL};
}

static void end_facts(struct facts_line *line)
{
  fprintf(line->out, "%s\n", line->begun ? "" : "none");
}

static void say_word(struct facts_line *line, const char *word)
{
  size_t size = strlen(word);
  if (line->begun && line->column + 2 + size < COLUMNS) {
    line->column += (size_t) fprintf(line->out, ", ");
  } else if (line->begun) {
    fprintf(line->out, ",\n%*s", LABEL, "");
    line->column = LABEL;
  }
  line->begun = true;
  fputs(word, line->out);
  line->column += size;
}

__attribute__((format(printf, 2, 3))) static void say_fact(struct facts_line *line,
                                                           const char *format, ...)
{
  char word[HELLO_SERVER_NAME + HELLO_NAME];
  va_list args;
  va_start(args, format);
  vsnprintf(word, sizeof word, format, args);
  va_end(args);
  say_word(line, word);
}

static void say_number_list(struct facts_line *line, const struct hello_numbers *list, size_t most,
                            const char *(*name_of)(uint16_t number, char out[HELLO_NAME]))
{
  char name[HELLO_NAME];
  size_t shown = list->count <= most ? list->count : most;
  for (size_t i = 0; i < shown; i++) say_word(line, name_of(list->value[i], name));
  size_t left = (size_t) list->count + list->more - shown;
  if (left > 0) say_fact(line, "and %zu more", left);
}

static void say_byte_list(struct facts_line *line, const struct hello_bytes *list,
                          const char *(*name_of)(uint16_t number, char out[HELLO_NAME]))
{
  char name[HELLO_NAME];
  for (size_t i = 0; i < list->count; i++) say_word(line, name_of(list->value[i], name));
  if (list->more > 0) say_fact(line, "and %u more", list->more);
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void print_prints(const struct hello *hello, FILE *out)
{
  char ja3[HELLO_JA3], ja4[HELLO_JA4];
  struct facts_line line = begin_facts(out, "hello");
  say_fact(&line, "%u bytes in %u record%s", hello->wire_size, hello->records,
           hello->records == 1 ? "" : "s");
  if (hello->grease) say_word(&line, "with GREASE");
  end_facts(&line);
  line = begin_facts(out, "known as");
  if (hello_ja4(hello, ja4)) say_fact(&line, "JA4 %s", ja4);
  if (hello_ja3(hello, ja3)) say_fact(&line, "JA3 %s", ja3);
  end_facts(&line);
}

static void print_versions(const struct hello *hello, FILE *out)
{
  char name[HELLO_NAME];
  struct facts_line line = begin_facts(out, "versions");
  if (hello_has(hello, HELLO_SUPPORTED_VERSIONS)) {
    say_number_list(&line, &hello->versions, NAMES_SHOWN, hello_version_name);
  } else {
    say_word(&line, hello_version_name(hello->highest, name));
    if (hello->lowest == 0) say_word(&line, "and what is older is not ruled out");
  }
  if (hello_lists(&hello->suites, HELLO_FALLBACK_SCSV)) say_word(&line, "as a fallback");
  end_facts(&line);
}

static void print_server(const struct hello *hello, FILE *out)
{
  struct facts_line line = begin_facts(out, "server name");
  if (hello->server_name[0] != '\0')
    say_fact(&line, "%s%s", hello->server_name, hello->server_name_is_ip ? " (an address)" : "");
  if (hello_has(hello, HELLO_ENCRYPTED_CLIENT_HELLO))
    say_fact(&line, "encrypted_client_hello of %d bytes",
             hello_extension_size(hello, HELLO_ENCRYPTED_CLIENT_HELLO));
  end_facts(&line);
  line = begin_facts(out, "protocols");
  for (size_t i = 0; i < hello->protocol_count; i++) say_word(&line, hello->protocol[i]);
  if (hello->protocols_more > 0) say_fact(&line, "and %u more", hello->protocols_more);
  end_facts(&line);
}

static void print_exchange(const struct hello *hello, FILE *out)
{
  char name[HELLO_NAME];
  struct facts_line line = begin_facts(out, "groups");
  say_number_list(&line, &hello->groups, NAMES_SHOWN, hello_group_name);
  end_facts(&line);
  line = begin_facts(out, "key shares");
  for (size_t i = 0; i < hello->share_count; i++)
    say_fact(&line, "%s (%u bytes)", hello_group_name(hello->share[i].group, name),
             hello->share[i].size);
  if (hello->shares_more > 0) say_fact(&line, "and %u more", hello->shares_more);
  end_facts(&line);
}

static void print_signatures(const struct hello *hello, FILE *out)
{
  struct facts_line line = begin_facts(out, "signatures");
  say_number_list(&line, &hello->schemes, NAMES_SHOWN, hello_scheme_name);
  end_facts(&line);
  if (hello->certificate_schemes.count == 0) return;
  line = begin_facts(out, "in chains");
  say_number_list(&line, &hello->certificate_schemes, NAMES_SHOWN, hello_scheme_name);
  end_facts(&line);
}

static void print_resumption(const struct hello *hello, FILE *out)
{
  struct facts_line line = begin_facts(out, "resumption");
  int ticket = hello_extension_size(hello, HELLO_SESSION_TICKET);
  if (hello->session_id_size > 0) say_fact(&line, "session id of %u bytes", hello->session_id_size);
  if (ticket == 0) say_word(&line, "wants a ticket");
  if (ticket > 0) say_fact(&line, "ticket of %d bytes", ticket);
  if (hello->psk_sizes.count > 0)
    say_fact(&line, "%u pre-shared key%s, the first of %u bytes",
             hello->psk_sizes.count + hello->psk_sizes.more, hello->psk_sizes.count == 1 ? "" : "s",
             hello->psk_sizes.value[0]);
  say_byte_list(&line, &hello->psk_modes, hello_psk_mode_name);
  if (hello_has(hello, HELLO_EARLY_DATA)) say_word(&line, "early data");
  end_facts(&line);
}

/* What most clients have nothing to say of. */
static void print_limits(const struct hello *hello, FILE *out)
{
  char name[HELLO_NAME];
  struct facts_line line = begin_facts(out, "also");
  if (hello->max_fragment_size > 0)
    say_fact(&line, "max_fragment_length %u", hello->max_fragment_size);
  if (hello->record_size_limit > 0)
    say_fact(&line, "record_size_limit %u", hello->record_size_limit);
  if (hello->authorities > 0) say_fact(&line, "names %u authorities", hello->authorities);
  if (hello_lists(&hello->suites, HELLO_RENEGOTIATION_SCSV))
    say_word(&line, "renegotiation_info by a suite");
  for (size_t i = 0; i < hello->compressions.count; i++)
    if (hello->compressions.value[i] != 0)
      say_fact(&line, "compression %s", hello_compression_name(hello->compressions.value[i], name));
  end_facts(&line);
}

static void print_extensions(const struct hello *hello, FILE *out)
{
  char name[HELLO_NAME];
  struct facts_line line = begin_facts(out, "extensions");
  size_t shown = hello->extension_count;
  if (shown > EXTENSIONS_SHOWN) shown = EXTENSIONS_SHOWN;
  for (size_t i = 0; i < shown; i++)
    say_word(&line, hello_extension_name(hello->extension[i].number, name));
  if (shown < hello->extension_count)
    say_fact(&line, "and %zu more", hello->extension_count - shown);
  end_facts(&line);
}

void hello_print_facts(const struct hello *hello, FILE *out)
{
  print_prints(hello, out);
  print_versions(hello, out);
  print_server(hello, out);
  struct facts_line line = begin_facts(out, "suites");
  say_number_list(&line, &hello->suites, SUITES_SHOWN, hello_suite_name);
  end_facts(&line);
  print_exchange(hello, out);
  print_signatures(hello, out);
  print_resumption(hello, out);
  print_limits(hello, out);
  print_extensions(hello, out);
}
