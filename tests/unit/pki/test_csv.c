#define _GNU_SOURCE
#include "fixture.h"
#include "pki/csv.h"

/* What the list comes to: "id|key|certificate/" for each record, or the sentence. */
static const char *read_list(struct fixture *f, const char *text, size_t size)
{
  static char out[1024];
  struct pki_csv csv;
  char *field[PKI_CSV_FIELDS];
  int more;
  out[0] = '\0';
  EXPECT_OK(files_write(beside(f, "list.csv"), text, size, 0600, &error));
  if (pki_csv_open(beside(f, "list.csv"), &csv, &error) != 0) return error.text;
  while ((more = pki_csv_next(&csv, field, &error)) > 0)
    snprintf(out + strlen(out), sizeof out - strlen(out), "%zu:%s|%s|%s/", csv.line, field[0],
             field[1], field[2]);
  pki_csv_close(&csv);
  return more < 0 ? error.text : out;
}

static void lists_are_read_as_people_and_spreadsheets_write_them(void **state)
{
  static const struct {
    const char *text, *wanted;
  } cases[] = {
      {"1,k,c", "1:1|k|c/"},
      {"1,k,c\n2,l,d\n", "1:1|k|c/2:2|l|d/"},
      {"1,k,c\r\n2,l,d\r\n", "1:1|k|c/2:2|l|d/"},
      {"1,k,c\r2,l,d\r", "1:1|k|c/2:2|l|d/"},
      {"\xef\xbb\xbf"
       "1,k,c\r\n",
       "1:1|k|c/"},
      {" 1 ,\tk ,  c  \n\n   \n,,\n2,l,d", "1:1|k|c/5:2|l|d/"},
      {"# none\n1,k,c\n", "2:1|k|c/"},
      {"\"1\",\"a, b.key\",\"say \"\"c\"\".crt\"\n", "1:1|a, b.key|say \"c\".crt/"},
      {"1, \"k\" ,\" c \"\n", "1:1|k| c /"},
      {"1,a\"b.key,c\n", "1:1|a\"b.key|c/"},
      {"sep=,\n1,k,c\n", "2:1|k|c/"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(read_list(*state, cases[i].text, strlen(cases[i].text)), cases[i].wanted);
}

static void what_is_no_list_is_told_by_what_it_is(void **state)
{
#define BYTES(text) text, sizeof text - 1
  static const struct {
    const char *text;
    size_t size;
    const char *sentence;
  } cases[] = {
      {BYTES("1,k,c\n\0002,l,d\n"), "list.csv:2: a NUL byte stands in this line"},
      {BYTES("1,k,c\n2,l,d\0"), "list.csv:2: a NUL byte"},
      {BYTES("1,k,c\r2,l\0,d\r3,m,e"), "list.csv:2: a NUL byte"},
      {BYTES("1,k\0,c\n"), "list.csv:1: a NUL byte"},
      {BYTES("\xff\xfe"
             "1\0,\0"),
       "is UTF-16 text; save it as UTF-8"},
      {BYTES("\xfe\xff"
             "\0001\0,"),
       "is UTF-16 text"},
      {BYTES("1\0,\0k\0"), "is UTF-16 text"},
      {BYTES("1;k;c\n"), "separated by semicolons"},
      {BYTES("1,\"k,c\n2,l,d\n"), "a quoted field does not end on its line"},
      {BYTES("1,\"k\"x,c\n"), "a quoted field does not end on its line"},
      {BYTES("1,k\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("1,k,c,x\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("1,k,\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("1,\"\",c\n"), "a line is 'id,key path,certificate path'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *said = read_list(*state, cases[i].text, cases[i].size);
    if (strstr(said, cases[i].sentence) == NULL) fail_msg("case %zu: '%s'", i, said);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(lists_are_read_as_people_and_spreadsheets_write_them,
                                      setup_folder, teardown),
      cmocka_unit_test_setup_teardown(what_is_no_list_is_told_by_what_it_is, setup_folder,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
