# The device client and its Mbed TLS as a Cortex-M4 firmware would link them: make -f cortex_m4.mk OUT=... MBEDTLS=...
CC := $(shell command -v ccache) arm-none-eabi-gcc
ARCH := -mcpu=cortex-m4 -mthumb
CFLAGS := $(ARCH) -std=c11 -Os -ffunction-sections -fdata-sections -MMD \
  -Iinclude -Isim -Isim/device -I$(MBEDTLS)/include -I$(MBEDTLS)/library -DMBEDTLS_CONFIG_FILE='"$(CURDIR)/sim/device/mbedtls_config.h"'
device := $(patsubst sim/device/%.c,$(OUT)/device/%.o,$(wildcard sim/device/*.c))
mbedtls := $(patsubst $(MBEDTLS)/library/%.c,$(OUT)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c))

# What no path from the client reaches is dropped, as a firmware's linker would drop it.
$(OUT)/client.o: $(device) $(mbedtls)
	arm-none-eabi-gcc $(ARCH) -nostdlib -r -Wl,--gc-sections -Wl,-u,device_builtin -o $@ $^

$(OUT)/device/%.o: sim/device/%.c
	$(CC) $(CFLAGS) -Wall -Wextra -Werror -c -o $@ $<

$(OUT)/mbedtls/%.o: $(MBEDTLS)/library/%.c
	$(CC) $(CFLAGS) -w -c -o $@ $<

-include $(device:.o=.d) $(mbedtls:.o=.d)
