// SPDX-License-Identifier: MIT OR Apache-2.0
// The hosted machine's interrupts, timer and mapped pages, as the contract in hal/include/hal has
// them: of its own files, beside a host that does what it is told.
#include "../clock.c"
#include "../cpu.c"
#include "../init.c"
#include "../irq.c"
#include "../mmu.c"
#include "../uart.c"

#include "check.h"

#include <stdlib.h>

struct hosted_settings hosted_settings = { .processors = 1, .memory_bytes = 16 * PAGE_SIZE };
uint8_t disk_registers[DISK_REGISTER_BYTES];

static uint64_t now;
static uint32_t maps;
static uint32_t interrupts[HAL_IRQ_LINES];
static uint32_t timers;

// The host, and what the other files of the machine give -----------------------------------------

uint64_t host_counter(void) {
    return now;
}

bool host_map(uint64_t address, uint64_t offset, bool write) {
    (void)address;
    (void)offset;
    (void)write;
    maps++;
    return true;
}

void *host_reserve(size_t size_bytes) {
    (void)size_bytes;
    return (void *)(uintptr_t)(1ull << 40);
}

void host_unmap(uint64_t address) {
    (void)address;
}

void host_fault_stack(void) {}

void host_wake(_Atomic uint32_t *word) {
    (void)word;
}

bool disk_is_raised(void) {
    return false;
}

#pragma GCC diagnostic ignored "-Wunused-parameter" // of what nobody calls
#define NEVER_CALLED(declaration)                                                                  \
    declaration {                                                                                  \
        abort();                                                                                   \
    }

NEVER_CALLED(bool host_thread_start(void (*entry)(void *), void *argument))
NEVER_CALLED(void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until))
NEVER_CALLED(void host_yield(void))
NEVER_CALLED(void host_sleep_forever(void))
NEVER_CALLED(uint64_t host_seconds(void))
NEVER_CALLED(bool host_random(uint64_t *out_value))
NEVER_CALLED(bool host_input_start(bool (*take)(const uint8_t *bytes, size_t count)))
NEVER_CALLED(void host_write(const char *text, size_t length))
NEVER_CALLED(void host_exit(int status))
NEVER_CALLED(void host_fault_handler(void (*handler)(uint64_t pc, uint64_t sp, uint64_t fp,
                                                     uint64_t address, bool write)))
NEVER_CALLED(void hosted_kernel_fault(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address,
                                      bool write))
NEVER_CALLED(void hal_context_init(struct hal_context *context, void *stack_top,
                                   void (*entry)(void *), void *argument))
NEVER_CALLED(void hal_switch(struct hal_context *from, const struct hal_context *to))
NEVER_CALLED(bool disk_init(void))
NEVER_CALLED(uint32_t disk_register_read(uint32_t offset, uint32_t bytes))
NEVER_CALLED(void disk_register_write(uint32_t offset, uint32_t value))

// Interrupts -------------------------------------------------------------------------------------

static void interrupt(uint32_t line) {
    interrupts[line]++;
}

static void timer(void) {
    timers++;
}

static void test_lines(void) {
    const uint8_t byte = 'x';
    hal_port_write8(BASE + REGISTER_ENABLE, ENABLE_RECEIVE);
    CHECK(uart_receive(&byte, 1) && !hosted_interrupts_handle()); // masked until enabled
    CHECK(hal_irq_enable(UART_LINE) == HX_OK && hosted_interrupts_handle());
    CHECK(interrupts[UART_LINE] == 1);
    // It is raised still, and masked until its thread is done.
    CHECK(uart_receive(&byte, 1) && !hosted_interrupts_handle());
    irq_deliver();
    CHECK(interrupts[UART_LINE] == 1);
    CHECK(hal_irq_enable(UART_LINE) == HX_OK && hosted_interrupts_handle());
    CHECK(interrupts[UART_LINE] == 2);
    CHECK(hal_port_read8(BASE) == byte && hal_port_read8(BASE) == byte);
    CHECK(hal_irq_enable(UART_LINE) == HX_OK && !hosted_interrupts_handle());
    CHECK(interrupts[UART_LINE] == 2 && interrupts[DISK_LINE] == 0);
    CHECK(hal_irq_enable(0) == HX_ERR_NO_DEVICE);
}

// What the timer's thread found due is set anew before its interrupt comes.
static void test_timer(void) {
    now = 50;
    hal_timer_arm(100);
    CHECK(timer_look() == 100 && !hosted_interrupts_handle());
    now = 100;
    CHECK(timer_look() == UINT64_MAX);
    hal_timer_arm(300);
    processor_interrupt(this_processor(), PENDING_TIMER);
    CHECK(hosted_interrupts_handle() && timers == 0 && timer_look() == 300);
    now = 300;
    CHECK(timer_look() == UINT64_MAX && hosted_interrupts_handle() && timers == 1);
    processor_interrupt(this_processor(), PENDING_TIMER);
    CHECK(hosted_interrupts_handle() && timers == 1);
    hal_timer_arm(299);
    CHECK(hosted_interrupts_handle() && timers == 2);
    hal_timer_arm(400);
    hal_timer_arm(UINT64_MAX);
    now = 500;
    processor_interrupt(this_processor(), PENDING_TIMER);
    CHECK(hosted_interrupts_handle() && timers == 2);
}

// The rest ---------------------------------------------------------------------------------------

static void test_maps(void) {
    const struct boot_info info = { 0 };
    const uint32_t both = HAL_MAP_READ | HAL_MAP_WRITE;
    struct paddr page;
    CHECK(hal_mmu_init(&info) == HX_OK);
    const uint64_t at = HAL_VMAP_BASE;
    CHECK(hal_kernel_map(at, paddr_make(PAGE_SIZE), both | HAL_MAP_USER) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at, paddr_make(PAGE_SIZE), both | HAL_MAP_EXECUTE) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at + 8, paddr_make(PAGE_SIZE), both) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at, paddr_make(PAGE_SIZE + 8), both) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at - PAGE_SIZE, paddr_make(PAGE_SIZE), both) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(HAL_VMAP_END, paddr_make(PAGE_SIZE), both) == HX_ERR_INVALID);
    CHECK(maps == 0 && !hal_kernel_unmap(at, &page));
    CHECK(hal_kernel_map(at, paddr_make(PAGE_SIZE), both) == HX_OK && maps == 1);
    CHECK(hal_kernel_unmap(at, &page) && page.value == PAGE_SIZE);
}

static void test_description(void) {
    char text[32] = "x";
    CHECK(hal_cpu_describe(0, text, 0) == 0 && text[0] == 'x');
    CHECK(hal_cpu_describe(0, text, 1) == 0 && text[0] == '\0');
    CHECK(hal_cpu_describe(0, text, 6) == 5 && text[5] == '\0');
    CHECK(hal_cpu_describe(0, text, sizeof(text)) == strlen(text));
}

int main(void) {
    const struct hal_handlers handlers = { .interrupt = interrupt, .timer = timer };
    hal_handlers_set(&handlers);
    hal_console_init(NULL);
    test_lines();
    test_timer();
    test_maps();
    test_description();
    return check_result();
}
