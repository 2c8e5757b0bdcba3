# The images, as a firmware would build them: make -f firmware.mk OUT=... MBEDTLS=... [OPT=-O2] [SMALL=1] [P256M=1]
# The flags are those of tests/build/cortex_m4.mk, which keeps the client fit for a Cortex-M4 in every test run.
CC := $(shell command -v ccache) arm-none-eabi-gcc
OPT := -Os
ARCH := -mcpu=cortex-m4 -mthumb -mfloat-abi=soft
CONFIG := $(CURDIR)/$(if $(SMALL),bench/m4/firmware/config_small.h,sim/device/mbedtls_config.h)
CFLAGS := $(ARCH) -std=c11 $(OPT) -ffunction-sections -fdata-sections -MMD \
  -Iinclude -Isim -Isim/device -Ibench -I$(MBEDTLS)/include -I$(MBEDTLS)/library \
  -DMBEDTLS_CONFIG_FILE='"$(CONFIG)"' $(if $(P256M),-DMBEDTLS_PSA_P256M_DRIVER_ENABLED)
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
LINK := arm-none-eabi-gcc $(ARCH) --specs=nano.specs -nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings \
  -T bench/m4/firmware/m4.ld

p256m := $(MBEDTLS)/3rdparty/p256-m
board := $(patsubst %,$(OUT)/firmware/%.o,startup board heap)
operations := $(patsubst %,$(OUT)/firmware/%.o,operations operations_p256 operations_symmetric operations_x509)
device := $(patsubst sim/device/%.c,$(OUT)/device/%.o,$(wildcard sim/device/*.c))
mbedtls := $(patsubst $(MBEDTLS)/library/%.c,$(OUT)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c)) \
  $(if $(P256M),$(OUT)/p256m/p256-m_driver_entrypoints.o $(OUT)/p256m/p256-m/p256-m.o)

images := $(OUT)/operations.elf $(OUT)/client.elf $(OUT)/anchor_p256m.elf
all: $(images)
	@arm-none-eabi-size $(images) | awk 'NR > 1 { printf "%s: ROM %d bytes, static RAM %d bytes\n", $$6, $$1 + $$2, $$2 + $$3 }'

$(OUT)/operations.elf: $(operations) $(board) $(device) $(mbedtls)
$(OUT)/client.elf: $(OUT)/firmware/client.o $(board) $(device) $(mbedtls)
$(OUT)/anchor_p256m.elf: $(OUT)/firmware/anchor_p256m.o $(OUT)/anchor/p256-m.o $(OUT)/mbedtls/platform_util.o $(board)
$(images): bench/m4/firmware/m4.ld
	$(LINK) -Wl,-Map=$(@:.elf=.map) -o $@ $(filter %.o,$^)

$(OUT)/firmware/%.o: bench/m4/firmware/%.c
	$(CC) $(CFLAGS) $(WARNINGS) -I$(p256m)/p256-m -c -o $@ $<

$(OUT)/device/%.o: sim/device/%.c
	$(CC) $(CFLAGS) $(WARNINGS) -c -o $@ $<

$(OUT)/mbedtls/%.o: $(MBEDTLS)/library/%.c
	$(CC) $(CFLAGS) -w -c -o $@ $<

$(OUT)/p256m/%.o: $(p256m)/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -w -I$(p256m) -I$(p256m)/p256-m -c -o $@ $<

# Always -Os, whatever the library is built with: so were the published figures.
$(OUT)/anchor/p256-m.o: $(p256m)/p256-m/p256-m.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Os -DMBEDTLS_PSA_P256M_DRIVER_ENABLED -w -c -o $@ $<

-include $(wildcard $(OUT)/*/*.d $(OUT)/*/*/*.d)
.PHONY: all
