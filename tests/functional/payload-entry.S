/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload's way from the PVH entry (Xen, docs/misc/pvh.pandoc: 32-bit, no paging) to C: the first
 * 8 GiB are mapped one to one in pages of 2 MiB.  And what a second CPU does when it is started.
 */
#define NOTE_PHYS32_ENTRY 18
#define PAGES_GIB 8

        .section .note.Xen, "a", @note
        .long 4, 4, NOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long _start

        .text
        .code32
        .globl _start
_start: cli
        movl $stack_end, %esp
        movl $pointers + 3, root
        /* pointers: a directory for each GiB; directories: a page of 2 MiB each */
        movl $directories + 3, %eax
        movl $pointers, %edi
        movl $PAGES_GIB, %ecx
1:      movl %eax, (%edi)
        addl $4096, %eax
        addl $8, %edi
        loop 1b
        movl $directories, %edi
        movl $PAGES_GIB * 512, %ecx
        movl $0x83, %eax                /* present, writable, large */
        xorl %edx, %edx
2:      movl %eax, (%edi)
        movl %edx, 4(%edi)
        addl $0x200000, %eax
        adcl $0, %edx
        addl $8, %edi
        loop 2b
        /* long mode (SDM volume 3, 9.8.5), with SSE on */
        movl %cr4, %eax
        orl $0x620, %eax
        movl %eax, %cr4
        movl $root, %eax
        movl %eax, %cr3
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x100, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80000001, %eax
        andl $~0x4, %eax
        movl %eax, %cr0
        lgdt descriptors_pointer
        ljmp $8, $long_mode

        .code64
long_mode:
        movl $16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movq $stack_end, %rsp
        call payload
1:      hlt
        jmp 1b

/* A started CPU counts itself at 0x7000 and sleeps; copied to 0x8000, in real mode. */
        .globl second_cpu, second_cpu_end
        .code16
second_cpu:
        cli
        movw $0x700, %ax
        movw %ax, %ds
        lock incl 0
1:      hlt
        jmp 1b
second_cpu_end:
        .code64

/*
 * void registers_across(volatile unsigned *announce, volatile unsigned *go, void (*after)(long)): fills
 * registers, announces that it has and waits; calls after() with the number of registers that have
 * changed meanwhile.  What is on the stack up to here stays as it is during that call.
 */
        .globl registers_across
registers_across:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        movq $0x1111111111111111, %rbx
        movq $0x2222222222222222, %rbp
        movq $0x3333333333333333, %r12
        movq $0x4444444444444444, %r13
        movq $0x5555555555555555, %r14
        movq $0x6666666666666666, %r15
        movq %r15, %xmm7
        push %rdx
        movl $1, (%rdi)
1:      pause
        cmpl $0, (%rsi)
        je 1b
        xorl %eax, %eax
        .macro check register, value
        movq $\value, %rdx
        cmpq %rdx, \register
        setne %cl
        movzbl %cl, %ecx
        addl %ecx, %eax
        .endm
        check %rbx, 0x1111111111111111
        check %rbp, 0x2222222222222222
        check %r12, 0x3333333333333333
        check %r13, 0x4444444444444444
        check %r14, 0x5555555555555555
        movq %xmm7, %r15
        check %r15, 0x6666666666666666
        movq %rax, %rdi
        call *(%rsp)
        pop %rdx
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

        .section .rodata
        .balign 8
descriptors:
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
descriptors_pointer:
        .word . - descriptors - 1
        .long descriptors

        .bss
        .balign 4096
root:   .skip 4096
pointers: .skip 4096
directories: .skip 4096 * PAGES_GIB
        .skip 16384
stack_end:

        .section .note.GNU-stack, "", @progbits
