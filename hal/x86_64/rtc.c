// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/rtc.c: the battery clock (Motorola MC146818A) and the processor's random numbers.
#include "private.h"

#define CMOS_INDEX     0x70u
#define CMOS_DATA      0x71u
#define REG_STATUS_A   0x0au
#define REG_STATUS_B   0x0bu
#define STATUS_A_BUSY  0x80u
#define STATUS_B_24H   0x02u
#define STATUS_B_BIN   0x04u
#define HOUR_PM        0x80u
#define BUSY_WAIT_MAX  100000u
#define RDRAND_RETRIES 10u // SDM 1 7.3.17.1
#define FIELDS         6u

static uint8_t cmos_read(uint8_t reg) {
    out8(CMOS_INDEX, reg);
    return in8(CMOS_DATA);
}

static uint32_t from_bcd(uint32_t value) {
    return (value >> 4) * 10 + (value & 15);
}

// Second, minute, hour, day, month, year, outside of an update. False: there is no clock.
static bool fields_read(uint32_t fields[FIELDS]) {
    static const uint8_t registers[FIELDS] = { 0, 2, 4, 7, 8, 9 };
    for (uint32_t i = 0; i < BUSY_WAIT_MAX && (cmos_read(REG_STATUS_A) & STATUS_A_BUSY); i++) {
        hal_relax();
    }
    if (cmos_read(REG_STATUS_A) & STATUS_A_BUSY) {
        return false;
    }
    for (uint32_t i = 0; i < FIELDS; i++) {
        fields[i] = cmos_read(registers[i]);
    }
    return true;
}

// Days since 1970-01-01 of a date of the Gregorian calendar.
static uint64_t days_from_date(uint64_t year, uint64_t month, uint64_t day) {
    uint64_t y = month <= 2 ? year - 1 : year; // years begin in March, leap days end them
    uint64_t m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t hal_rtc_read(void) {
    uint32_t fields[FIELDS];
    uint32_t again[FIELDS];
    if (!fields_read(fields) || !fields_read(again)) {
        return 0;
    }
    if (fields[0] != again[0] && !fields_read(again)) {
        return 0;
    }
    uint8_t mode = cmos_read(REG_STATUS_B);
    bool pm = !(mode & STATUS_B_24H) && (again[2] & HOUR_PM);
    again[2] &= ~HOUR_PM;
    for (uint32_t i = 0; i < FIELDS && !(mode & STATUS_B_BIN); i++) {
        again[i] = from_bcd(again[i]);
    }
    uint32_t century = 20;
    if (x86_firmware.has_fadt && x86_firmware.fadt.century != 0 &&
        x86_firmware.fadt.century < 128) {
        uint32_t value = cmos_read(x86_firmware.fadt.century);
        value = mode & STATUS_B_BIN ? value : from_bcd(value);
        century = value >= 19 && value <= 22 ? value : century;
    }
    uint32_t hour = mode & STATUS_B_24H ? again[2] : again[2] % 12 + (pm ? 12 : 0);
    uint32_t year = century * 100 + again[5];
    if (again[4] < 1 || again[4] > 12 || again[3] < 1 || again[3] > 31 || year < 1970 ||
        again[5] > 99) {
        return 0;
    }
    return ((days_from_date(year, again[4], again[3]) * 24 + hour) * 60 + again[1]) * 60 + again[0];
}

bool hal_random_seed(uint64_t *out_value) {
    for (uint32_t i = 0; x86_features.rdrand && i < RDRAND_RETRIES; i++) {
        uint64_t value;
        bool ok;
        __asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
        if (ok) {
            *out_value = value;
            return true;
        }
    }
    return false;
}
