#define _GNU_SOURCE
#include "fixture.h"
#include "pki/csv.h"

/* What the list comes to: "line:id|key|certificate|chain/" for each record, or the sentence. */
static const char *read_named(struct fixture *f, const char *text, size_t size,
                              const char *const named[PKI_CSV_ROLES])
{
  static char out[1024];
  struct pki_csv csv;
  int more = -1;
  out[0] = '\0';
  EXPECT_OK(files_write(beside(f, "list.csv"), text, size, 0600, &error));
  if (pki_csv_open(beside(f, "list.csv"), &csv, &error) != 0) return error.text;
  if (pki_csv_begin(&csv, named, &error) == 0)
    while ((more = pki_csv_next(&csv, &error)) > 0)
      snprintf(out + strlen(out), sizeof out - strlen(out), "%zu:%s|%s|%s|%s/", csv.line,
               pki_csv_cell(&csv, PKI_CSV_ID), pki_csv_cell(&csv, PKI_CSV_KEY),
               pki_csv_cell(&csv, PKI_CSV_CERTIFICATE), pki_csv_cell(&csv, PKI_CSV_CHAIN));
  pki_csv_close(&csv);
  return more < 0 ? error.text : out;
}

static const char *read_list(struct fixture *f, const char *text, size_t size)
{
  return read_named(f, text, size, NULL);
}

#define BOM "\xef\xbb\xbf"

static void lists_are_read_as_people_and_spreadsheets_write_them(void **state)
{
  static const struct {
    const char *text, *wanted;
  } cases[] = {
      {"1,k,c", "1:1|k|c|/"},
      {"1,k,c\n2,l,d\n", "1:1|k|c|/2:2|l|d|/"},
      {"1,k,c\r\n2,l,d\r\n", "1:1|k|c|/2:2|l|d|/"},
      {"1,k,c\r2,l,d\r", "1:1|k|c|/2:2|l|d|/"},
      {BOM "1,k,c\r\n", "1:1|k|c|/"},
      {" 1 ,\tk ,  c  \n\n   \n,,\n2,l,d", "1:1|k|c|/5:2|l|d|/"},
      {"# none\n1,k,c\n", "2:1|k|c|/"},
      {"\"1\",\"a, b.key\",\"say \"\"c\"\".crt\"\n", "1:1|a, b.key|say \"c\".crt|/"},
      {"1, \"k\" ,\" c \"\n", "1:1|k| c |/"},
      {"1,a\"b.key,c\n", "1:1|a\"b.key|c|/"},
      {"sep=,\n1,k,c\n", "2:1|k|c|/"},
      {"1;k;c\n2;l;d\n", "1:1|k|c|/2:2|l|d|/"},
      {"sep=;\r\n1;k,;c\r\n", "2:1|k,|c|/"},
      {"1,k;1,c;d;e\n", "1:1|k;1|c;d;e|/"},
      {"", ""},
      {"# none\n\n", ""},
      {"id,key,certificate\n1,k,c\n", "2:1|k|c|/"},
      {BOM "ID,Key,Certificate\r\n1,k,c\r\n", "2:1|k|c|/"},
      {"certificate,site,key,id\nc,here,k,1\nd,there,l,2\n", "2:1|k|c|/3:2|l|d|/"},
      {"Serial Number;Private Key;Cert;Site, Hall\n1;k;c;7\n", "2:1|k|c|/"},
      {"name,key,certificate,id\nx,k,c,1\n", "2:1|k|c|/"},
      {"id,key,certificate,chain\n1,k,c,h\n", "2:1|k|c|h/"},
      {"id,certificate\n1,both.pem\n", "2:1||both.pem|/"},
      {"id,key,certificate\n1,,c\n", "2:1||c|/"},
      {"id,key,certificate,note\n1,k,c,\"two\nlines\"\n2,l,d,\"a \"\"b\"\"\r\n\r\n,c\"\r\n3,m,e,\n",
       "2:1|k|c|/4:2|l|d|/7:3|m|e|/"},
      {"\"id\",\"key\",\"certificate\"\n\"1\",\"k\",\"c\"\n", "2:1|k|c|/"},
      {"# exported\nid,key,certificate\n# later\n1,k,c\n", "4:1|k|c|/"},
      {"id,key,certificate,note\n1,k,c,gr\xc3\xbcn\n", "2:1|k|c|/"},
      {"id,key,certificate", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(read_list(*state, cases[i].text, strlen(cases[i].text)), cases[i].wanted);
}

static void columns_of_any_name_are_read_where_they_are_said(void **state)
{
  const char *const text = "Ger\xc3\xa4t,id,Datei\n7,1,both.pem\n", *const none = "1,k,c\n";
  const char *const named[PKI_CSV_ROLES] = {"ger\xc3\xa4t", NULL, "Datei", NULL};
  const char *const missing[PKI_CSV_ROLES] = {NULL, NULL, "file", NULL};
  const char *const twice[PKI_CSV_ROLES] = {"id", NULL, "id", NULL};
  assert_string_equal(read_named(*state, text, strlen(text), named), "2:7||both.pem|/");
  const struct {
    const char *text;
    const char *const *named;
    const char *sentence;
  } cases[] = {
      {text, missing, "list.csv:1: the header names no column 'file'"},
      {none, missing, "list.csv:1: the header names no column 'file'"},
      {text, twice, "list.csv:1: the column 'id' cannot be both id and certificate"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *said = read_named(*state, cases[i].text, strlen(cases[i].text), cases[i].named);
    if (strstr(said, cases[i].sentence) == NULL) fail_msg("case %zu: '%s'", i, said);
  }
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
      {BYTES("id\tkey\tcertificate\n"), "list.csv:1: the fields are separated by tabs"},
      {BYTES("1,\"k,c\n2,l,d\n"), "a quoted field is not closed"},
      {BYTES("1,\"k\"x,c\n"), "a quoted field is not closed"},
      {BYTES("id,key,certificate\n1,\"k,c\n"), "a quoted field is not closed"},
      {BYTES("1,k\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("1,k,c,x\n"), "a line is 'id,key path,certificate path'; other columns are named by"},
      {BYTES("1,k,\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("1,\"\",c\n"), "a line is 'id,key path,certificate path'"},
      {BYTES("id,key,certificate\n1,k\n"), "2 fields, and the header names 3 columns"},
      {BYTES("id,key,certificate\n1,k,c,d\n"), "4 fields, and the header names 3 columns"},
      {BYTES("id,key,certificate,\n1,k,c,\n"), "list.csv:1: the column number 4 has no name"},
      {BYTES("id,key,ID,certificate\n"), "list.csv:1: two columns are called 'ID'"},
      {BYTES("id,site\n1,here\n"), "list.csv:1: the header names no column 'key' or 'certificate'"},
      {BYTES("id,key,certificate,note\n1,k,c,gr\xfcn\n"), "the field number 4 is no UTF-8"},
      {BYTES("id,key,certificate,gr\xfcn\n"), "list.csv:1: the field number 4 is no UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *said = read_list(*state, cases[i].text, cases[i].size);
    if (strstr(said, cases[i].sentence) == NULL) fail_msg("case %zu: '%s'", i, said);
  }
}

static void what_is_too_much_is_refused(void **state)
{
  char text[3 * PKI_CSV_CELL_MAX] = "id,key,certificate,note\n1,k,c,";
  size_t size = strlen(text);
  memset(text + size, 'x', PKI_CSV_CELL_MAX);
  if (strcmp(read_list(*state, text, size + PKI_CSV_CELL_MAX), "2:1|k|c|/") != 0)
    fail_msg("%s", error.text);
  memset(text + size, 'x', PKI_CSV_CELL_MAX + 1);
  const char *said = read_list(*state, text, size + PKI_CSV_CELL_MAX + 1);
  if (strstr(said, "the field number 4 has 4097 bytes, and 4096 is the most") == NULL)
    fail_msg("%s", said);

  strcpy(text, "id,key,certificate");
  for (int i = 3; i < PKI_CSV_COLUMNS_MAX; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), ",c%d", i);
  assert_string_equal(read_list(*state, text, strlen(text)), "");
  strcat(text, ",more");
  said = read_list(*state, text, strlen(text));
  if (strstr(said, "more than 64 fields") == NULL) fail_msg("%s", said);

  snprintf(text, sizeof text, "id,key,certificate,%0*d\n", PKI_CSV_NAME_MAX + 1, 0);
  said = read_list(*state, text, strlen(text));
  if (strstr(said, "list.csv:1: the name of column number 4 is longer than 64") == NULL)
    fail_msg("%s", said);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(lists_are_read_as_people_and_spreadsheets_write_them,
                                      setup_folder, teardown),
      cmocka_unit_test_setup_teardown(what_is_no_list_is_told_by_what_it_is, setup_folder,
                                      teardown),
      cmocka_unit_test_setup_teardown(columns_of_any_name_are_read_where_they_are_said,
                                      setup_folder, teardown),
      cmocka_unit_test_setup_teardown(what_is_too_much_is_refused, setup_folder, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
