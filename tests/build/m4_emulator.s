@ Small images for m4_emulator.sh, one for each value of CASE. Words: bench/m4/marks.h.
  .syntax unified
  .cpu cortex-m4
  .thumb

  .equ PUTCHAR, 0x00
  .equ EXIT, 0x04
  .equ BEGIN, 0x08
  .equ END, 0x0c
  .equ STATE, 0x10
  .equ ENTROPY, 0x14
  .equ OPEN, 0x20
  .equ WAIT_MS, 0x38
  .equ HEAP_PEAK, 0x3c

  .word 0x20010000
  .word reset + 1

@ Cycles between the accesses to `name` are what is counted; the accesses and what loads their operands are not.
  .macro begin name
  ldr r1, =\name
  str r1, [r0, #BEGIN]
  .endm
  .macro end
  str r1, [r0, #END]
  .endm
  .macro exit code
  movs r2, #\code
  str r2, [r0, #EXIT]
  b .
  .endm

  .thumb_func
  .globl reset
reset:
  ldr r0, =0x5ff00000
  movs r2, #3
  movs r3, #5

  .if CASE == 1 @ counted by hand
  begin straight
  adds r2, #1               @ 1
  eor.w r3, r3, r2, ror #7  @ 1
  mul r4, r3, r2            @ 1
  ldr r5, [sp, #-4]         @ 2
  ldr r6, [sp, #-8]         @ 1: pipelined
  str r6, [sp, #-8]         @ 1
  umull r7, r8, r2, r3      @ 1
  udiv r4, r4, r2           @ 6
  push {r4, r5, r6}         @ 4
  pop {r4, r5, r6}          @ 4
  end                       @ 22
  movs r2, #5
  begin loop
turn:
  subs r2, #1               @ 5 * 1
  bne turn                  @ 5 * 1, 4 of them taken: 4
  end                       @ 14
  begin call
  bl returns                @ 1 + 1, then 1 + 2
  end                       @ 5
  begin misaligned
  bl adds                   @ 1 + 1 + 1, then 1 and 1 + 2
  end                       @ 7
  begin outer
  begin inner               @ 2: its LDR; its STR costs nothing
  adds r2, #1               @ 1
  end
  ldr r1, =outer            @ 2
  end                       @ 5
  ldr r1, =working
  str r1, [r0, #STATE]
  movs r2, #100
  str r2, [r0, #HEAP_PEAK]
  exit 0
  .endif

  .if CASE == 2 @ no mark
  exit 0
  .endif
  .if CASE == 3 @ runaway
  b .
  .endif
  .if CASE == 4 @ bad address
  ldr r2, =0x40000000
  ldr r3, [r2]
  exit 0
  .endif
  .if CASE == 5 @ writes flash
  movs r2, #0
  str r2, [r2]
  exit 0
  .endif
  .if CASE == 6 @ jumps nowhere
  ldr r2, =0x30000001
  bx r2
  .endif
  .if CASE == 7 @ SVC
  svc #1
  exit 0
  .endif
  .if CASE == 8 @ undefined instruction
  udf #1
  exit 0
  .endif
  .if CASE == 9 @ fails by itself
  begin straight
  end
  movs r2, #'x'
  str r2, [r0, #PUTCHAR]
  exit 7
  .endif
  .if CASE == 10 @ sleeps
  wfi
  exit 0
  .endif
  .if CASE == 11 @ a name that is none
  ldr r1, =0x70000000
  str r1, [r0, #BEGIN]
  exit 0
  .endif
  .if CASE == 12 @ ends what it never began
  ldr r1, =straight
  end
  exit 0
  .endif
  .if CASE == 13 @ connects
  movs r2, #1
  str r2, [r0, #OPEN]
  exit 0
  .endif
  .if CASE == 14 @ waits
  ldr r2, =1000000
  str r2, [r0, #WAIT_MS]
  exit 0
  .endif
  .if CASE == 15 @ entropy, told as heap
  begin straight
  end
  ldr r2, [r0, #ENTROPY]
  str r2, [r0, #HEAP_PEAK]
  exit 0
  .endif
  .if CASE == 16 @ a stack without end
again:
  push {r0-r7}
  b again
  .endif
  .if CASE == 17 @ a word that is none
  ldr r2, [r0, #0x80]
  exit 0
  .endif

  .ltorg
  .balign 4
  .thumb_func
returns:
  bx lr
  .thumb_func
adds:
  add.w r3, r3, r2
  bx lr
straight: .asciz "straight"
loop: .asciz "loop"
call: .asciz "call"
misaligned: .asciz "misaligned"
outer: .asciz "outer"
inner: .asciz "inner"
working: .asciz "working"
